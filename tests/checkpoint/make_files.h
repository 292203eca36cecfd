// Small files of every kind, made in tests.
#pragma once

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "weights/source.h"

namespace mezzo::test {

inline fs::path write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

inline std::string little_endian(std::uint64_t v, int bytes) {
  return std::string(reinterpret_cast<const char*>(&v), static_cast<std::size_t>(bytes));
}

/// A source in memory: float32 tensors whose values count up from their position in the list.
class MadeSource final : public TensorSource {
 public:
  explicit MadeSource(std::map<std::string, Shape> shapes) {
    for (auto& [name, shape] : shapes) tensors_.push_back({name, DType::kF32, shape});
  }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void read(std::size_t index, std::span<std::byte> out) const override {
    for (std::size_t i = 0; i < out.size() / 4; ++i) {
      const float v = static_cast<float>(index) * 1000 + static_cast<float>(i);
      std::memcpy(out.data() + 4 * i, &v, 4);
    }
  }
  std::string origin() const override { return "made"; }

 private:
  std::vector<TensorInfo> tensors_;
};

/// Tensors of any type and bytes in memory.
class ByteSource final : public TensorSource {
 public:
  void put(std::string name, DType dtype, const Shape& shape, std::string bytes) {
    const auto at = std::ranges::lower_bound(tensors_, name, {}, &TensorInfo::name);
    const auto i = at - tensors_.begin();
    const bool known = at != tensors_.end() && at->name == name;
    if (!known) {
      tensors_.insert(at, TensorInfo{});
      bytes_.insert(bytes_.begin() + i, std::string());
    }
    tensors_[static_cast<std::size_t>(i)] = {std::move(name), dtype, shape};
    bytes_[static_cast<std::size_t>(i)] = std::move(bytes);
  }
  template <class T>
  void put(std::string name, DType dtype, const Shape& shape, const std::vector<T>& values) {
    put(std::move(name), dtype, shape,
        std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)));
  }
  void erase(const std::string& name) {
    const auto i = find(name);
    tensors_.erase(tensors_.begin() + i);
    bytes_.erase(bytes_.begin() + i);
  }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void read(std::size_t index, std::span<std::byte> out) const override {
    std::memcpy(out.data(), bytes_[index].data(), out.size());
  }
  std::string origin() const override { return "made"; }

 private:
  std::vector<TensorInfo> tensors_;
  std::vector<std::string> bytes_;
};

/// A safetensors file with the tensors of a source.
inline fs::path write_safetensors(const fs::path& path, const TensorSource& source) {
  nlohmann::json header = nlohmann::json::object();
  std::string data;
  for (std::size_t i = 0; i < source.tensors().size(); ++i) {
    const auto& t = source.tensors()[i];
    const std::size_t begin = data.size();
    data.resize(begin + t.bytes());
    source.read(i, std::as_writable_bytes(std::span(data).subspan(begin)));
    header[t.name] = {{"dtype", "F32"},
                      {"shape", std::vector<std::int64_t>(t.shape.begin(), t.shape.end())},
                      {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = header.dump();
  return write_file(path, little_endian(text.size(), 8) + text + data);
}

/// The message of the E that f throws; "" when it throws nothing.
template <class E = LoadError, class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "";
}

}  // namespace mezzo::test
