// Between float32 and every other element type: exact where the type allows, else rounded to
// nearest even.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/tensor.h"

namespace mezzo {

/// n values of type `t` at `in` (whole blocks for quantised types) as float32.
void to_float(DType t, const std::byte* in, std::int64_t n, float* out);

/// n float32 values as type `t` at `out`. F8_E4M3 saturates at 448, as PyTorch 2.15 does. Types
/// that can be written: the floating point types, the integers (rounded, saturated), and the
/// quantised types.
void from_float(DType t, const float* in, std::int64_t n, std::byte* out);

/// A contiguous host tensor of type `t` with the values of `x` (contiguous, on the host); `x`
/// itself when it has that type.
Tensor cast(const Tensor& x, DType t);

}  // namespace mezzo
