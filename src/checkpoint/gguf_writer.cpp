#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/checked.h"
#include "checkpoint/gguf.h"
#include "checkpoint/gguf_types.h"

namespace mezzo {
namespace {

template <class T>
void put(std::string& out, T v) {
  out.append(reinterpret_cast<const char*>(&v), sizeof(T));
}

void put_text(std::string& out, std::string_view s) {
  put<std::uint64_t>(out, s.size());
  out.append(s);
}

const GgmlType* ggml_type(DType t) {
  const auto row = std::ranges::find(kGgmlTypes, t, &GgmlType::dtype);
  return row == kGgmlTypes.end() ? nullptr : &*row;
}

// The dimensions that are stored: the shape itself where GGUF can say it, else [first, all others].
std::vector<std::int64_t> stored_dims(DType dtype, const Shape& s) {
  const std::vector<std::int64_t> dims(s.begin(), s.end());
  const bool rows_fit =
      !is_quantized(dtype) || (!dims.empty() && dims.back() % info(dtype).block == 0);
  if (dims.size() >= 1 && dims.size() <= 4 && rows_fit) return dims;
  if (dims.empty()) return {1};
  return {dims[0], dims[0] == 0 ? 0 : s.numel() / dims[0]};
}

}  // namespace

void GgufWriter::put_key(std::string key, GgufType type) {
  put_text(values_, key);
  put(values_, static_cast<std::uint32_t>(type));
  ++value_count_;
}

void GgufWriter::set(std::string key, std::string_view value) {
  put_key(std::move(key), GgufType::kString);
  put_text(values_, value);
}

void GgufWriter::set(std::string key, std::uint32_t value) {
  put_key(std::move(key), GgufType::kU32);
  put(values_, value);
}

void GgufWriter::set(std::string key, float value) {
  put_key(std::move(key), GgufType::kF32);
  put(values_, value);
}

void GgufWriter::set(std::string key, bool value) {
  put_key(std::move(key), GgufType::kBool);
  put<std::uint8_t>(values_, value);
}

void GgufWriter::set(std::string key, const std::vector<std::string>& values) {
  put_key(std::move(key), GgufType::kArray);
  put(values_, static_cast<std::uint32_t>(GgufType::kString));
  put<std::uint64_t>(values_, values.size());
  for (const auto& v : values) put_text(values_, v);
}

void GgufWriter::set(std::string key, const std::vector<std::int32_t>& values) {
  put_key(std::move(key), GgufType::kArray);
  put(values_, static_cast<std::uint32_t>(GgufType::kI32));
  put<std::uint64_t>(values_, values.size());
  for (const auto v : values) put(values_, v);
}

bool GgufWriter::can_hold(DType dtype, const Shape& shape) {
  if (!ggml_type(dtype)) return false;
  const auto dims = stored_dims(dtype, shape);
  return !is_quantized(dtype) || dims.back() % info(dtype).block == 0;
}

void GgufWriter::add(const TensorInfo& tensor, Fill fill) {
  if (!can_hold(tensor.dtype, tensor.shape))
    fail<UsageError>("{} {}: GGUF cannot hold this shape as {}; choose another type for it",
                     tensor.name, to_string(tensor.shape), name(tensor.dtype));
  tensors_.push_back({tensor, stored_dims(tensor.dtype, tensor.shape), std::move(fill)});
}

void GgufWriter::write(const fs::path& path) const {
  std::string values = values_;
  std::uint64_t value_count = value_count_;
  auto shapes = nlohmann::json::object();
  for (const auto& e : tensors_)
    if (const std::span<const std::int64_t> s = e.tensor.shape.dims();
        !std::ranges::equal(s, e.dims))
      shapes[e.tensor.name] = std::vector<std::int64_t>(s.begin(), s.end());
  if (!shapes.empty()) {
    put_text(values, kGgufShapesKey);
    put(values, static_cast<std::uint32_t>(GgufType::kString));
    put_text(values, shapes.dump());
    ++value_count;
  }

  std::string header;
  put<std::uint32_t>(header, 0x46554747);
  put<std::uint32_t>(header, 3);
  put<std::uint64_t>(header, tensors_.size());
  put<std::uint64_t>(header, value_count);
  header += values;
  std::uint64_t offset = 0;
  for (const auto& e : tensors_) {
    put_text(header, e.tensor.name);
    put(header, static_cast<std::uint32_t>(e.dims.size()));
    for (std::size_t i = e.dims.size(); i-- > 0;)
      put(header, static_cast<std::uint64_t>(e.dims[i]));
    put(header, ggml_type(e.tensor.dtype)->number);
    put(header, offset);
    offset = round_up(offset + e.tensor.bytes(), kGgufAlignment);
  }
  header.resize(round_up<std::size_t>(header.size(), kGgufAlignment), '\0');

  AtomicFile out(path);
  out.write(std::as_bytes(std::span(header)));
  std::vector<std::byte> buffer;
  for (const auto& e : tensors_) {
    const std::size_t n = e.tensor.bytes();
    buffer.assign(round_up<std::size_t>(n, kGgufAlignment), std::byte{0});
    e.fill(std::span(buffer).first(n));
    out.write(buffer);
  }
  out.commit();
}

}  // namespace mezzo
