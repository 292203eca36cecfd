// Element types of tensors, in memory and in files.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mezzo {

enum class DType : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kF64,
  kF8E4M3,
  kF8E5M2,
  kI8,
  kU8,
  kI16,
  kU16,
  kI32,
  kU32,
  kI64,
  kU64,
  kBool,
  // Blocks of quantised values, as GGUF files hold them: 32 values a block, 256 for the K types.
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  // Blocks of 64 values with a float32 factor: bitsandbytes' 4-bit code books, float8 with scales.
  kNF4,
  kFP4,
  kF8E4M3Scaled,
  kF8E5M2Scaled,
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;  // as people write it: f32, bf16, q8_0
  int block;              // values in a block; 1 for plain types
  int bytes;              // bytes of a block
};

const DTypeInfo& info(DType t);
inline std::string_view name(DType t) { return info(t).name; }
inline bool is_quantized(DType t) { return info(t).block > 1; }
inline bool is_float8(DType t) { return t == DType::kF8E4M3 || t == DType::kF8E5M2; }

/// The type of that name (any case), or nothing.
std::optional<DType> dtype_named(std::string_view name);

/// Bytes of n values, or nothing when n is negative, not a whole number of blocks, or the product
/// overflows.
std::optional<std::int64_t> byte_size(DType t, std::int64_t n);

}  // namespace mezzo
