// A small reader of safetensors files for tests: whole file in memory, values widened to double.
// Independent of src/checkpoint on purpose, so that recorded outputs are not read by the code under
// test.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace mezzo::test {

namespace fs = std::filesystem;

class SafetensorsFile {
 public:
  /// Throws std::runtime_error naming the file when it cannot be read.
  explicit SafetensorsFile(const fs::path& path);

  /// Sorted.
  std::vector<std::string> names() const;
  bool has(const std::string& name) const { return entries_.contains(name); }

  // Each throws std::runtime_error naming the tensor and the file when there is no such tensor.
  std::vector<std::int64_t> shape(const std::string& name) const;
  /// The file's word: F64 F32 F16 BF16 F8_E4M3 F8_E5M2 I64 I32 I16 I8 U8 BOOL.
  std::string dtype(const std::string& name) const;
  /// Elements in memory order; every dtype but the 8-bit floats, which throw.
  std::vector<double> values(const std::string& name) const;
  std::vector<float> floats(const std::string& name) const;
  /// The stored bytes, untouched.
  std::vector<std::uint8_t> bytes(const std::string& name) const;

  /// The header's "__metadata__"; an empty object when there is none.
  const nlohmann::json& metadata() const { return metadata_; }

 private:
  struct Entry {
    std::string dtype;
    std::vector<std::int64_t> shape;
    std::size_t begin, end;
  };
  const Entry& entry(const std::string& name) const;

  std::string path_;
  std::vector<std::uint8_t> data_;
  std::map<std::string, Entry> entries_;
  nlohmann::json metadata_ = nlohmann::json::object();
};

}  // namespace mezzo::test
