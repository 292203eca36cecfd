#include "checkpoint/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "base/checked.h"

namespace mezzo {
namespace {

constexpr std::uint64_t kMaxHeader = 100'000'000;  // the reference's limit

struct DTypeName {
  std::string_view name;
  DType dtype;
};
constexpr std::array kDTypes = {
    DTypeName{"F32", DType::kF32},        DTypeName{"F16", DType::kF16},
    DTypeName{"BF16", DType::kBF16},      DTypeName{"F64", DType::kF64},
    DTypeName{"F8_E4M3", DType::kF8E4M3}, DTypeName{"F8_E5M2", DType::kF8E5M2},
    DTypeName{"I8", DType::kI8},          DTypeName{"U8", DType::kU8},
    DTypeName{"I16", DType::kI16},        DTypeName{"U16", DType::kU16},
    DTypeName{"I32", DType::kI32},        DTypeName{"U32", DType::kU32},
    DTypeName{"I64", DType::kI64},        DTypeName{"U64", DType::kU64},
    DTypeName{"BOOL", DType::kBool},
};

// One tensor as the header has it. A field is empty until it is seen.
struct HeaderEntry {
  std::string name;
  std::optional<DType> dtype;
  std::optional<std::vector<std::int64_t>> shape;
  std::optional<std::vector<std::int64_t>> offsets;
};

// Follows the header event by event: { name: {dtype, shape: [..], data_offsets: [b, e]},
// "__metadata__": {k: "v"} }. Nothing else is let in, so no text can make it nest, recurse or grow.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(std::string path) : path_(std::move(path)) {}

  std::vector<HeaderEntry> entries;
  std::map<std::string, std::string> metadata;

  bool start_object(std::size_t) override {
    if (depth_ == 2 || in_array_) reject("nested too deep");
    if (++depth_ == 2 && !in_metadata_) entries.push_back({name_, {}, {}, {}});
    return true;
  }
  bool end_object() override {
    if (depth_-- == 2) {
      if (!in_metadata_ &&
          !(entries.back().dtype && entries.back().shape && entries.back().offsets))
        reject("has no dtype, shape or data_offsets");
      in_metadata_ = false;
    }
    return true;
  }
  bool key(string_t& k) override {
    if (depth_ == 1) {
      if (k.size() > kMaxNameLength) reject("has a name longer than 1024 bytes");
      name_ = k;
      if (!names_.insert(k).second) reject("occurs twice");
      if (names_.size() > kMaxTensors) reject("is beyond the limit of 100000 tensors");
      in_metadata_ = k == "__metadata__";
    } else {
      field_ = k;
    }
    return true;
  }
  bool string(string_t& v) override {
    if (depth_ != 2 || in_array_) reject("is not described by an object");
    if (in_metadata_) {
      if (!metadata.emplace(field_, v).second) reject("has a key twice");
      return true;
    }
    const auto row = std::ranges::find(kDTypes, v, &DTypeName::name);
    if (field_ != "dtype" || entries.back().dtype) reject("has an unexpected field " + field_);
    if (row == kDTypes.end()) reject("has the unknown dtype " + v);
    entries.back().dtype = row->dtype;
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_array_ || in_metadata_) reject("has an array where none belongs");
    list() = std::vector<std::int64_t>();
    in_array_ = true;
    return true;
  }
  bool end_array() override {
    in_array_ = false;
    return true;
  }
  bool number_unsigned(number_unsigned_t v) override {
    if (!in_array_ || !std::in_range<std::int64_t>(v)) reject("has a number out of place or range");
    auto& values = **current_;
    if (values.size() == Shape::kMaxRank) reject("has more than 8 dimensions");
    values.push_back(static_cast<std::int64_t>(v));
    return true;
  }
  bool number_integer(number_integer_t) override { reject("has a negative size or offset"); }
  bool number_float(number_float_t, const string_t&) override {
    reject("has a size or offset that is no integer");
  }
  bool null() override { reject("has an empty field"); }
  bool boolean(bool) override { reject("has true or false where none belongs"); }
  bool binary(binary_t&) override { reject("has binary data"); }
  bool parse_error(std::size_t at, const std::string&, const nlohmann::json::exception&) override {
    fail<LoadError>(
        "{}: the safetensors header is not valid JSON (byte {}); the file is damaged or something "
        "else",
        path_, at);
  }

 private:
  [[noreturn]] void reject(const std::string& what) {
    fail<LoadError>("{}: safetensors header: \"{}\" {}; the file is damaged or forged", path_,
                    name_, what);
  }
  std::optional<std::vector<std::int64_t>>& list() {
    auto& e = entries.back();
    current_ = field_ == "shape" ? &e.shape : field_ == "data_offsets" ? &e.offsets : nullptr;
    if (!current_ || *current_) reject("has an unexpected field " + field_);
    return *current_;
  }

  std::string path_, name_, field_;
  std::set<std::string> names_;
  std::optional<std::vector<std::int64_t>>* current_ = nullptr;
  int depth_ = 0;
  bool in_metadata_ = false, in_array_ = false;
};

std::string read_header(const File& file) {
  const auto& path = file.path().string();
  if (file.size() < 8)
    fail<LoadError>("{}: {} bytes are too few for a safetensors file; copy or download it again",
                    path, file.size());
  std::uint64_t n = 0;
  file.read(0, std::as_writable_bytes(std::span(&n, 1)));
  if (n > kMaxHeader || n > file.size() - 8)
    fail<LoadError>(
        "{}: a safetensors header of {} bytes does not fit (file: {} bytes); it is truncated or "
        "something else",
        path, n, file.size());
  std::string header(n, '\0');
  file.read(8, std::as_writable_bytes(std::span(header)));
  if (header.empty() || header[0] != '{')
    fail<LoadError>("{}: the safetensors header is not a JSON object", path);
  return header;
}

StoredTensor checked_entry(HeaderEntry& e, std::uint64_t data_begin, const std::string& path) {
  const std::string what = path + ": tensor " + e.name;
  const Shape shape = checked_shape(*e.shape, *e.dtype, what);
  const auto& o = *e.offsets;
  if (o.size() != 2 || o[1] < o[0] || o[1] - o[0] != *byte_size(*e.dtype, shape.numel()))
    fail<LoadError>("{}: data_offsets do not span the bytes of {} {}", what, name(*e.dtype),
                    to_string(shape));
  return {{std::move(e.name), *e.dtype, shape}, data_begin + static_cast<std::uint64_t>(o[0])};
}

}  // namespace

std::shared_ptr<const Safetensors> open_safetensors(const fs::path& path) {
  auto file = std::make_shared<const File>(path);
  const std::string header = read_header(*file);
  HeaderReader reader(path.string());
  nlohmann::json::sax_parse(header, &reader);

  const std::uint64_t data_begin = 8 + header.size();
  std::vector<StoredTensor> tensors;
  tensors.reserve(reader.entries.size());
  for (auto& e : reader.entries) tensors.push_back(checked_entry(e, data_begin, path.string()));

  // By offset; an empty tensor may share its offset with the one that follows.
  std::ranges::sort(tensors, [](const StoredTensor& a, const StoredTensor& b) {
    return std::pair(a.offset, a.info.bytes()) < std::pair(b.offset, b.info.bytes());
  });
  std::uint64_t end = data_begin;
  for (const auto& t : tensors) {
    if (t.offset != end)
      fail<LoadError>(
          "{}: tensor {} leaves a hole or overlaps another one; the file is damaged or forged",
          path.string(), t.info.name);
    end += t.info.bytes();
  }
  if (end > file->size())
    fail<LoadError>("{}: truncated: {} of {} bytes are missing; copy or download it again",
                    path.string(), end - file->size(), end);
  if (end < file->size())
    fail<LoadError>(
        "{}: {} bytes follow the last tensor, the format allows none; the file is damaged or "
        "forged",
        path.string(), file->size() - end);
  return std::make_shared<const Safetensors>(std::move(file), std::move(tensors),
                                             std::move(reader.metadata));
}

}  // namespace mezzo
