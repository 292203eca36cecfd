#include "checkpoint/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/checked.h"
#include "base/json.h"
#include "checkpoint/gguf_types.h"

namespace mezzo {
namespace {

constexpr std::uint64_t kMaxKeys = 65'536, kMaxString = 16u << 20, kMaxArray = 16u << 20;
constexpr int kMaxDims = 4;  // GGML_MAX_DIMS

constexpr std::array<std::uint32_t, 13> kValueBytes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

// A buffered position in the file that only moves forward.
class Cursor {
 public:
  Cursor(const File& file, std::uint64_t offset) : file_(file), offset_(offset) {}

  std::uint64_t offset() const { return offset_; }
  std::uint64_t left() const { return file_.size() - offset_; }

  template <class T>
  T get() {
    T v;
    take(std::as_writable_bytes(std::span(&v, 1)));
    return v;
  }
  std::string text(std::uint64_t limit) {
    const auto n = length(limit);
    std::string s(n, '\0');
    take(std::as_writable_bytes(std::span(s)));
    return s;
  }
  std::uint64_t length(std::uint64_t limit) {
    const auto n = get<std::uint64_t>();
    if (n > limit || n > left()) reject(fmt::format("a string of {} bytes", n));
    return n;
  }
  void skip(std::uint64_t n) {
    if (n > left()) reject("it ends inside the header (truncated)");
    offset_ += n;
  }
  [[noreturn]] void reject(std::string_view what) const {
    fail<LoadError>("{}: GGUF, byte {}: {}; the file is damaged or forged", file_.path().string(),
                    offset_, what);
  }

 private:
  void take(std::span<std::byte> out) {
    if (out.size() > left()) reject("it ends inside the header (truncated)");
    if (out.size() >= kBuffer) {
      file_.read(offset_, out);
    } else if (!out.empty()) {
      if (offset_ < begin_ || offset_ + out.size() > begin_ + buffer_.size()) {
        begin_ = offset_;
        buffer_.resize(std::min<std::uint64_t>(kBuffer, left()));
        file_.read(begin_, buffer_);
      }
      std::memcpy(out.data(), buffer_.data() + (offset_ - begin_), out.size());
    }
    offset_ += out.size();
  }

  static constexpr std::size_t kBuffer = 64u << 10;
  const File& file_;
  std::uint64_t offset_;
  std::uint64_t begin_ = 0;
  std::vector<std::byte> buffer_;
};

struct Header {
  std::uint64_t tensors, keys;
};

Header read_header(Cursor& in, const std::string& path) {
  if (in.get<std::uint32_t>() != 0x46554747) fail<LoadError>("{}: is no GGUF file", path);
  const auto version = in.get<std::uint32_t>();
  if (version != 0 && (version & 0xffff) == 0)
    fail<LoadError>("{}: is a big-endian GGUF file; convert it to little-endian with gguf-py",
                    path);
  if (version != 2 && version != 3)
    fail<LoadError>("{}: GGUF version {}; versions 2 and 3 can be read: convert the model again",
                    path, version);
  const auto tensors = in.get<std::uint64_t>(), keys = in.get<std::uint64_t>();
  if (tensors > kMaxTensors || keys > kMaxKeys)
    in.reject(fmt::format("{} tensors and {} keys", tensors, keys));
  return {tensors, keys};
}

GgufType value_type(Cursor& in) {
  const auto t = in.get<std::uint32_t>();
  if (t >= kValueBytes.size()) in.reject(fmt::format("unknown value type {}", t));
  return static_cast<GgufType>(t);
}

GgufValue read_value(Cursor& in) {
  GgufValue v{value_type(in), GgufType::kU8, 1, 0};
  if (v.type == GgufType::kArray) {
    v.element = value_type(in);
    v.count = in.get<std::uint64_t>();
    if (v.element == GgufType::kArray) in.reject("arrays of arrays");
    if (v.count > kMaxArray) in.reject(fmt::format("an array of {} values", v.count));
  }
  v.offset = in.offset();
  const GgufType each = v.type == GgufType::kArray ? v.element : v.type;
  if (each == GgufType::kString) {
    for (std::uint64_t i = 0; i < v.count; ++i) in.skip(in.length(kMaxString));
  } else {
    in.skip(v.count * kValueBytes[static_cast<std::size_t>(each)]);
  }
  return v;
}

// Offsets are still relative to the data.
StoredTensor read_tensor(Cursor& in, const std::string& path) {
  StoredTensor t;
  t.info.name = in.text(kMaxNameLength);
  if (t.info.name.empty()) in.reject("a tensor without a name");
  const std::string what = path + ": tensor " + t.info.name;
  const auto rank = in.get<std::uint32_t>();
  if (rank > kMaxDims) fail<LoadError>("{}: {} dimensions, GGUF has at most 4", what, rank);
  std::vector<std::int64_t> dims(rank);
  for (std::size_t i = rank; i-- > 0;) {
    const auto d = in.get<std::uint64_t>();
    if (!std::in_range<std::int64_t>(d)) fail<LoadError>("{}: impossible size {}", what, d);
    dims[i] = static_cast<std::int64_t>(d);
  }
  const auto number = in.get<std::uint32_t>();
  const auto row = std::ranges::find(kGgmlTypes, number, &GgmlType::number);
  if (row == kGgmlTypes.end())
    fail<LoadError>(
        "{}: element type {} cannot be read; use a file with f16, bf16, q4_0 to q8_0 or q2_k to "
        "q6_k",
        what, number);
  t.info.dtype = t.stored = row->dtype;
  const int block = info(row->dtype).block;
  if (block > 1 && (dims.empty() || dims.back() % block != 0))
    fail<LoadError>("{}: its rows are no whole blocks of {}; the file is damaged or forged", what,
                    name(row->dtype));
  t.info.shape = checked_shape(dims, row->dtype, what);
  t.offset = in.get<std::uint64_t>();
  return t;
}

std::uint64_t alignment_of(const Gguf& values, const std::string& path) {
  if (!values.values().contains("general.alignment")) return kGgufAlignment;
  const auto a = values.integer("general.alignment").value_or(0);
  if (a < 8 || a > 65536 || !std::has_single_bit(static_cast<std::uint64_t>(a)))
    fail<LoadError>(
        "{}: alignment {} is no power of two from 8 to 65536; the file is damaged or forged", path,
        a);
  return static_cast<std::uint64_t>(a);
}

// Makes offsets absolute and refuses misplaced or overlapping tensors.
void place(std::vector<StoredTensor>& tensors, std::uint64_t data, std::uint64_t alignment,
           const std::string& path) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  for (auto& t : tensors) {
    const auto offset = checked_add(data, t.offset);
    if (t.offset % alignment != 0 || !offset)
      fail<LoadError>("{}: tensor {} at offset {} is misplaced; the file is damaged or forged",
                      path, t.info.name, t.offset);
    t.offset = *offset;
    if (t.stored_bytes() > 0) ranges.emplace_back(t.offset, t.stored_bytes());
  }
  std::ranges::sort(ranges);
  for (std::size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].first - ranges[i - 1].first < ranges[i - 1].second)
      fail<LoadError>("{}: tensors overlap; the file is damaged or forged", path);
}

// A matrix (dimensions of 1 behind it aside) whose rows begin inside a block: no row could be read
// alone.
bool has_broken_rows(const Shape& s, DType dtype) {
  auto dims = s.dims();
  while (dims.size() > 2 && dims.back() == 1) dims = dims.first(dims.size() - 1);
  return dims.size() == 2 && dims[1] % info(dtype).block != 0;
}

void reshape(StoredTensor& t, std::span<const std::int64_t> dims, const std::string& path) {
  const std::string what = path + ": shape recorded for " + t.info.name;
  const Shape shape = checked_shape(dims, t.stored, what);
  if (shape.numel() != t.info.shape.numel())
    fail<LoadError>("{}: does not have as many values as the tensor", what);
  t.info.shape = shape;
  // ComfyUI-GGUF stores matrices as rows of 256 values whatever their width. float16 holds what
  // blocks do: their scales are float16.
  t.info.dtype = has_broken_rows(shape, t.stored) ? DType::kF16 : t.stored;
}

// Gives flattened tensors their shapes back.
void restore_shapes(std::vector<StoredTensor>& tensors, const Gguf& values,
                    const std::string& path) {
  nlohmann::json shapes;
  if (const auto text = values.string(kGgufShapesKey))
    shapes = parse_json(*text, path + ": " + std::string(kGgufShapesKey));
  for (auto& t : tensors) {
    const std::string key = "comfy.gguf.orig_shape." + t.info.name;
    if (const auto v = values.values().find(key);
        v != values.values().end() && v->second.count > Shape::kMaxRank)
      fail<LoadError>("{}: {}: {} dimensions, at most {} are possible", path, key, v->second.count,
                      Shape::kMaxRank);
    if (const auto dims = values.integers(key)) reshape(t, *dims, path);
    if (!shapes.is_object() || !shapes.contains(t.info.name)) continue;
    std::vector<std::int64_t> dims;
    const auto& list = shapes[t.info.name];
    for (const auto& d : list) {
      if (!list.is_array() || !d.is_number_integer() || dims.size() == Shape::kMaxRank)
        fail<LoadError>("{}: {} is malformed", path, kGgufShapesKey);
      dims.push_back(d.get<std::int64_t>());
    }
    reshape(t, dims, path);
  }
}

std::optional<std::int64_t> read_integer(Cursor& in, GgufType type) {
  const auto narrowed = [](auto v) -> std::optional<std::int64_t> {
    return std::in_range<std::int64_t>(v) ? std::optional(static_cast<std::int64_t>(v))
                                          : std::nullopt;
  };
  switch (type) {
    case GgufType::kU8:
    case GgufType::kBool:
      return in.get<std::uint8_t>();
    case GgufType::kI8:
      return in.get<std::int8_t>();
    case GgufType::kU16:
      return in.get<std::uint16_t>();
    case GgufType::kI16:
      return in.get<std::int16_t>();
    case GgufType::kU32:
      return in.get<std::uint32_t>();
    case GgufType::kI32:
      return in.get<std::int32_t>();
    case GgufType::kU64:
      return narrowed(in.get<std::uint64_t>());
    case GgufType::kI64:
      return in.get<std::int64_t>();
    default:
      return std::nullopt;
  }
}

}  // namespace

std::shared_ptr<const Gguf> open_gguf(const fs::path& path) {
  auto file = std::make_shared<const File>(path);
  Cursor in(*file, 0);
  const Header header = read_header(in, path.string());
  std::map<std::string, GgufValue> keys;
  for (std::uint64_t i = 0; i < header.keys; ++i) {
    std::string key = in.text(65535);
    if (key.empty()) in.reject("an empty key");
    if (!keys.emplace(key, read_value(in)).second) in.reject("the key " + key + " occurs twice");
  }
  const Gguf values(file, {}, std::move(keys));
  std::vector<StoredTensor> tensors;
  for (std::uint64_t i = 0; i < header.tensors; ++i)
    tensors.push_back(read_tensor(in, path.string()));
  const std::uint64_t alignment = alignment_of(values, path.string());
  place(tensors, round_up(in.offset(), alignment), alignment, path.string());
  restore_shapes(tensors, values, path.string());
  return std::make_shared<const Gguf>(file, std::move(tensors), values.values());
}

const GgufValue* Gguf::find(std::string_view key) const {
  const auto it = values_.find(std::string(key));
  return it == values_.end() ? nullptr : &it->second;
}

std::optional<std::string> Gguf::string(std::string_view key) const {
  const auto* v = find(key);
  if (!v || v->type != GgufType::kString) return std::nullopt;
  return Cursor(*file_, v->offset).text(kMaxString);
}

std::optional<std::int64_t> Gguf::integer(std::string_view key) const {
  const auto* v = find(key);
  if (!v) return std::nullopt;
  Cursor in(*file_, v->offset);
  return read_integer(in, v->type);
}

std::optional<double> Gguf::number(std::string_view key) const {
  const auto* v = find(key);
  if (!v) return std::nullopt;
  Cursor in(*file_, v->offset);
  if (v->type == GgufType::kF32) return in.get<float>();
  if (v->type == GgufType::kF64) return in.get<double>();
  const auto i = read_integer(in, v->type);
  return i ? std::optional(static_cast<double>(*i)) : std::nullopt;
}

std::optional<std::vector<std::string>> Gguf::strings(std::string_view key) const {
  const auto* v = find(key);
  if (!v || v->type != GgufType::kArray || v->element != GgufType::kString) return std::nullopt;
  Cursor in(*file_, v->offset);
  std::vector<std::string> r;
  for (std::uint64_t i = 0; i < v->count; ++i) r.push_back(in.text(kMaxString));
  return r;
}

std::optional<std::vector<std::int64_t>> Gguf::integers(std::string_view key) const {
  const auto* v = find(key);
  if (!v || v->type != GgufType::kArray) return std::nullopt;
  Cursor in(*file_, v->offset);
  std::vector<std::int64_t> r;
  for (std::uint64_t i = 0; i < v->count; ++i) {
    const auto n = read_integer(in, v->element);
    if (!n) return std::nullopt;
    r.push_back(*n);
  }
  return r;
}

}  // namespace mezzo
