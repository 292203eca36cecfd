// GGUF, versions 2 and 3 (ggml's docs/gguf.md): typed key values, then tensors at aligned offsets.
// Dimensions are stored innermost first; here they are outermost first as everywhere. Shapes that
// GGUF cannot hold (more than 4 dimensions, rows that are no whole blocks) are stored flattened and
// restored from a key, ours or ComfyUI-GGUF's. A matrix whose rows then begin inside blocks is
// handed out as float16, so that a row of a quantised matrix is always whole blocks.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "checkpoint/file_tensors.h"

namespace mezzo {

/// The types of values, by their numbers in the file.
enum class GgufType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

struct GgufValue {
  GgufType type = GgufType::kU8;
  GgufType element = GgufType::kU8;  // of an array
  std::uint64_t count = 1;           // of an array
  std::uint64_t offset = 0;  // where the value (of an array: its first element) lies in the file
};

class Gguf final : public FileTensors {
 public:
  Gguf(std::shared_ptr<const File> file, std::vector<StoredTensor> tensors,
       std::map<std::string, GgufValue> values)
      : FileTensors(file, std::move(tensors)), file_(std::move(file)), values_(std::move(values)) {}

  const std::map<std::string, GgufValue>& values() const { return values_; }
  /// The value of a key; nothing when it is absent or of another kind.
  std::optional<std::string> string(std::string_view key) const;
  std::optional<std::int64_t> integer(
      std::string_view key) const;  // any integer type, if it fits; bool: 0, 1
  std::optional<double> number(std::string_view key) const;  // integers too
  std::optional<std::vector<std::string>> strings(std::string_view key) const;
  std::optional<std::vector<std::int64_t>> integers(std::string_view key) const;

 private:
  const GgufValue* find(std::string_view key) const;

  std::shared_ptr<const File> file_;
  std::map<std::string, GgufValue> values_;
};

/// Reads and checks the header. Throws LoadError.
std::shared_ptr<const Gguf> open_gguf(const fs::path& path);

/// The key under which all flattened shapes of a file are found, as JSON: {"name": [dims, outermost
/// first]}.
inline constexpr std::string_view kGgufShapesKey = "mezzotint.shapes";

/// Writes a GGUF file. Keys and tensors keep the order in which they were added.
class GgufWriter {
 public:
  using Fill = std::function<void(std::span<std::byte>)>;  // writes the tensor's bytes

  void set(std::string key, std::string_view value);
  void set(std::string key, std::uint32_t value);
  void set(std::string key, float value);
  void set(std::string key, bool value);
  void set(std::string key, const std::vector<std::string>& values);
  void set(std::string key, const std::vector<std::int32_t>& values);

  /// True when GGUF can hold values of this type and shape (a quantised type: rows of whole blocks,
  /// where everything behind the first dimension counts as the row).
  static bool can_hold(DType dtype, const Shape& shape);
  /// Throws UsageError when it cannot be held. `fill` is called by write().
  void add(const TensorInfo& tensor, Fill fill);

  /// Writes everything; memory: one tensor at a time. Throws DeviceError; no partial file is left.
  void write(const fs::path& path) const;

 private:
  struct Entry {
    TensorInfo tensor;
    std::vector<std::int64_t> dims;  // as stored, outermost first
    Fill fill;
  };
  void put_key(std::string key, GgufType type);

  std::string values_;  // encoded
  std::uint64_t value_count_ = 0;
  std::vector<Entry> tensors_;
};

}  // namespace mezzo
