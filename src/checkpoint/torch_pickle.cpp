#include "checkpoint/torch_pickle.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>

#include "base/checked.h"
#include "checkpoint/file_tensors.h"
#include "checkpoint/torch_tensors.h"
#include "checkpoint/zip.h"

namespace mezzo {
namespace {

struct StorageRange {
  std::uint64_t offset = 0, size = 0;  // bytes in the file
};

// A file's pickle, and where the storages lie that it names.
struct Archive {
  std::unique_ptr<std::string>
      bytes;  // what the pickle points into; stays in place when this is moved
  std::unique_ptr<Pickle> pickle;
  std::map<std::string, StorageRange> storages;
};

// Views of storages, gathered when they are read.
class TorchSource final : public TensorSource {
 public:
  TorchSource(std::shared_ptr<const File> file, std::vector<TorchTensor> tensors,
              const std::map<std::string, StorageRange>& storages)
      : file_(std::move(file)) {
    std::ranges::sort(tensors, {},
                      [](const TorchTensor& t) -> const std::string& { return t.info.name; });
    for (auto& t : tensors) {
      const std::string what = origin() + ": tensor " + t.info.name;
      if (!infos_.empty() && infos_.back().name == t.info.name)
        fail<LoadError>("{}: the name occurs twice", what);
      const auto it = storages.find(t.storage);
      if (it == storages.end())
        fail<LoadError>("{}: its storage \"{}\" is not in the file; the file is damaged", what,
                        t.storage);
      const int size = info(t.info.dtype).bytes;
      if (it->second.size / static_cast<std::uint64_t>(size) <
          static_cast<std::uint64_t>(t.storage_elements))
        fail<LoadError>(
            "{}: its storage has {} bytes, {} numbers of {} are expected; the file is damaged or "
            "truncated",
            what, it->second.size, t.storage_elements, name(t.info.dtype));
      infos_.push_back(t.info);
      places_.push_back({it->second.offset +
                             static_cast<std::uint64_t>(t.first) * static_cast<std::uint64_t>(size),
                         std::move(t.strides)});
    }
  }

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  std::string origin() const override { return file_->path().string(); }

  void read_part(std::size_t index, std::size_t begin, std::span<std::byte> out) const override {
    const TensorInfo& t = infos_[index];
    const auto& [offset, strides] = places_[index];
    if (!is_contiguous(t.shape, strides)) return TensorSource::read_part(index, begin, out);
    check(begin <= t.bytes() && out.size() <= t.bytes() - begin,
          "read_part() stays inside of the tensor");
    if (!out.empty()) file_->read(offset + begin, out);
  }

  void read(std::size_t index, std::span<std::byte> out) const override {
    const TensorInfo& t = infos_[index];
    check(out.size() == t.bytes(), "read() gets room for exactly one tensor");
    if (out.empty()) return;
    const auto& [offset, strides] = places_[index];
    if (is_contiguous(t.shape, strides)) return file_->read(offset, out);
    std::int64_t span = 1;  // elements from the first to the last one
    for (int i = 0; i < t.shape.rank(); ++i)
      span += (t.shape[i] - 1) * strides[static_cast<std::size_t>(i)];
    const auto size = static_cast<std::size_t>(info(t.dtype).bytes);
    std::vector<std::byte> raw(static_cast<std::size_t>(span) * size);
    file_->read(offset, raw);
    gather(t.shape, strides, size, raw.data(), out.data());
  }

 private:
  struct Place {
    std::uint64_t offset;
    std::vector<std::int64_t> strides;
  };

  static void gather(const Shape& shape, const std::vector<std::int64_t>& strides, std::size_t size,
                     const std::byte* in, std::byte* out) {
    std::vector<std::int64_t> at(strides.size(), 0);
    std::int64_t element = 0;
    for (std::int64_t n = shape.numel(); n > 0; --n, out += size) {
      std::memcpy(out, in + static_cast<std::size_t>(element) * size, size);
      for (int i = shape.rank() - 1; i >= 0; --i) {
        const auto d = static_cast<std::size_t>(i);
        element += strides[d];
        if (++at[d] < shape[i]) break;
        element -= strides[d] * at[d];
        at[d] = 0;
      }
    }
  }

  std::shared_ptr<const File> file_;
  std::vector<TensorInfo> infos_;
  std::vector<Place> places_;
};

// dir/data.pkl, dir/data/0, dir/data/1 ... The name of the folder is free.
Archive open_zip(const std::shared_ptr<const File>& file) {
  const Zip zip(file);
  const std::string path = file->path().string();
  const Zip::Member* found = nullptr;
  for (const auto& m : zip.members()) {
    if (m.name != "data.pkl" && !m.name.ends_with("/data.pkl")) continue;
    if (found)
      fail<LoadError>("{}: two members are named data.pkl; the file is damaged or forged", path);
    found = zip.find(m.name);
  }
  if (!found)
    fail<LoadError>(
        "{}: a zip archive without data.pkl, so no PyTorch checkpoint; unpack it and give what is "
        "inside",
        path);
  const std::string folder =
      found->name.substr(0, found->name.size() - std::string_view("data.pkl").size());
  if (const auto* order = zip.find(folder + "byteorder"); order && zip.read(*order, 16) != "little")
    fail<LoadError>("{}: was written on a big-endian machine; save it again on a little-endian one",
                    path);
  Archive a;
  a.bytes = std::make_unique<std::string>(zip.read(*found, Pickle::kMaxBytes));
  a.pickle = std::make_unique<Pickle>(*a.bytes, path);
  for (const auto& m : zip.members())
    if (m.stored && m.name.starts_with(folder + "data/"))
      a.storages[m.name.substr(folder.size() + 5)] = {m.offset, m.size};
  return a;
}

constexpr std::string_view kLegacyMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

// The five pickles at the head of a stream: magic number, protocol 1001, system information, the
// object, storage keys.
struct StreamHead {
  std::unique_ptr<std::string> bytes = std::make_unique<std::string>();
  std::vector<std::unique_ptr<Pickle>> parts;
  std::uint64_t size = 0;  // bytes of all five
};

// The pickles' length is unknown, so more of the file is read as long as they are cut off.
StreamHead read_stream_head(const File& file) {
  constexpr std::size_t kParts = 5;
  const std::string path = file.path().string();
  const std::uint64_t most = std::min<std::uint64_t>(file.size(), Pickle::kMaxBytes);
  for (std::uint64_t room = 1u << 20;; room *= 4) {
    StreamHead h;
    h.bytes->resize(std::min(room, most));
    const bool more_may_follow = h.bytes->size() < most;
    file.read(0, std::as_writable_bytes(std::span(*h.bytes)));
    while (h.parts.size() < kParts) {
      auto p = std::make_unique<Pickle>(std::string_view(*h.bytes).substr(h.size), path,
                                        more_may_follow);
      if (p->cut_off()) break;
      if (h.parts.empty() &&
          (p->kind(p->root()) != Pickle::Kind::kText || p->text(p->root()) != kLegacyMagic))
        fail<LoadError>(
            "{}: a Python pickle, but no PyTorch checkpoint; save it with torch.save or as "
            "safetensors",
            path);
      h.size += p->consumed();
      h.parts.push_back(std::move(p));
    }
    if (h.parts.size() == kParts) return h;
  }
}

// The storages that follow the head, in the order of `keys`: the count of numbers, then the
// numbers.
std::map<std::string, StorageRange> find_storages(const File& file, std::uint64_t offset,
                                                  const Pickle& object, const Pickle& keys) {
  const std::string path = file.path().string();
  std::map<std::string, DType> types;
  for (const auto id : object.persistents()) {
    const auto s = torch_storage(object, id, path);
    types[s.key] = s.dtype;
  }
  if (keys.kind(keys.root()) != Pickle::Kind::kList)
    fail<LoadError>("{}: no list of storages; the file is damaged", path);
  std::map<std::string, StorageRange> storages;
  for (const auto id : keys.items(keys.root())) {
    const std::string key = torch_key(keys, id, path);
    const auto type = types.find(key);
    std::int64_t count = 0;
    file.read(offset, std::as_writable_bytes(std::span(&count, 1)));
    offset += sizeof(count);
    const auto bytes = type == types.end() ? std::nullopt : byte_size(type->second, count);
    if (!bytes || static_cast<std::uint64_t>(*bytes) > file.size() - offset)
      fail<LoadError>("{}: storage \"{}\" is unknown or cut off; the file is truncated or damaged",
                      path, key);
    const auto size = static_cast<std::uint64_t>(*bytes);
    if (!storages.emplace(key, StorageRange{offset, size}).second)
      fail<LoadError>("{}: storage \"{}\" occurs twice; the file is damaged", path, key);
    offset += size;
  }
  return storages;
}

Archive open_stream(const File& file) {
  StreamHead h = read_stream_head(file);
  const Pickle& system = *h.parts[2];
  if (const auto little = system.get(system.root(), "little_endian");
      little != Pickle::kAbsent && system.kind(little) == Pickle::Kind::kBool &&
      !system.boolean(little))
    fail<LoadError>("{}: was written on a big-endian machine; save it again on a little-endian one",
                    file.path().string());
  auto storages = find_storages(file, h.size, *h.parts[3], *h.parts[4]);
  return {std::move(h.bytes), std::move(h.parts[3]), std::move(storages)};
}

Archive open_archive(const std::shared_ptr<const File>& file) {
  std::array<char, 4> magic{};
  if (file->size() >= 4) file->read(0, std::as_writable_bytes(std::span(magic)));
  return std::string_view(magic.data(), 4) == "PK\x03\x04" ? open_zip(file) : open_stream(*file);
}

PickleRequests requests(const Pickle& p) {
  PickleRequests r;
  std::ranges::copy_if(p.called(), std::back_inserter(r.called),
                       [](const auto& g) { return !is_torch_callable(g); });
  std::ranges::copy_if(p.named(), std::back_inserter(r.dangerous), is_dangerous);
  return r;
}

}  // namespace

std::shared_ptr<const TensorSource> open_torch(const fs::path& path) {
  auto file = std::make_shared<const File>(path);
  const Archive a = open_archive(file);
  if (const auto r = requests(*a.pickle); !r.dangerous.empty())
    fail<LoadError>(
        "{}: asks Python to use {} (it was not run); weights never need that, so this is an attack "
        "or no checkpoint: delete it and get a .safetensors file",
        path.string(), r.dangerous.front());
  return std::make_shared<const TorchSource>(std::move(file),
                                             torch_tensors(*a.pickle, path.string()), a.storages);
}

PickleRequests pickle_requests(const fs::path& path) {
  return requests(*open_archive(std::make_shared<const File>(path)).pickle);
}

}  // namespace mezzo
