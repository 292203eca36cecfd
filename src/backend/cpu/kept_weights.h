// Weights that stay as their file has them (blocks of quantised values, float8): rows [out, in *
// taps] in memory, expanded to float32 in the order of the kernel at every use, never the whole
// weight at once. Taps: the values of a kernel, 9 of 3x3.
#pragma once

#include <cstdint>

#include "backend/cpu/footprint.h"
#include "tensor/dtype.h"

namespace mezzo {

class PackedProduct;

/// Whether weights of this type stay as they are.
inline bool is_kept(DType t) { return is_quantized(t) || is_float8(t); }

/// How rows are expanded: a block of output channels and a slice of input channels at a time.
struct KeptSlice {
  std::int64_t block = 1;     // output channels, and the unit of input channels
  std::int64_t channels = 1;  // input channels of a slice: whole blocks of the type
  std::int64_t values = 0;    // float32 values that a slice has, padded to the block
};

/// The slices of a weight in square blocks of `block` channels.
KeptSlice kept_slice(const PackedProduct&, std::int64_t block);

/// Output channels out, ..., out + block - 1 (those beyond the last are zero) and input channels
/// in,
/// ..., in + channels - 1 as [channels / block][taps][block in][block out]. `in` begins a slice;
/// plain: room for slice.values.
void expand_slice(const PackedProduct&, const KeptSlice& slice, std::int64_t out, std::int64_t in,
                  float* plain, float* to);

/// Rows begin, ..., begin + count - 1 as plain float32.
void expand_rows(const PackedProduct&, std::int64_t begin, std::int64_t count, float* to);

}  // namespace mezzo
