// The vectorised kernels of the CPU: single-threaded functions on plain memory, compiled for every
// instruction set and chosen at run time. Sizes are in values; strides are in values and may be
// larger than a row.
#pragma once

#include <cstdint>

#include "backend/backend.h"

namespace mezzo::kernels {

using Index = std::int64_t;

// elementwise.cpp
void activate(const float* x, Index n, Activation activation, float* out);
void add(const float* a, const float* b, Index n, float* out);
void multiply(const float* a, const float* b, Index n, float* out);
void scale(const float* x, Index n, float factor, float offset, float* out);
void clamp(const float* x, Index n, float low, float high, float* out);
void geglu(const float* value, const float* gate, Index n, float* out);
/// out = activation(x) + other, n values; `other` may be null.
void finish(const float* x, const float* other, Index n, Activation activation, float* out);

// norm.cpp
void layer_norm(const float* x, Index n, const float* weight, const float* bias, float eps,
                float* out);
void rms_norm(const float* x, Index n, const float* weight, float eps, float* out);
/// layer_norm(x) * (1 + scale) + shift
void modulated_layer_norm(const float* x, Index n, const float* scale, const float* shift,
                          float eps, float* out);
/// Mean and sum of squared distances from it of each group of channels over `rows` pixels: 2
/// doubles a group.
void group_statistics(const float* x, Index rows, Index channels, Index groups, double* out);
/// out = activation(x * factor + offset), with a factor and an offset for each channel.
void group_apply(const float* x, Index rows, Index channels, const float* factor,
                 const float* offset, Activation activation, float* out);

// transpose.cpp
/// out[c * out_stride + r] = x[r * x_stride + c] for r < rows, c < columns.
void transpose(const float* x, Index x_stride, Index rows, Index columns, float* out,
               Index out_stride);

// interleave.cpp
/// Rows [rows][channels * taps] of a weight, which become columns of a panel
/// [taps][channels][width].
struct WeightRows {
  Index rows, channels, taps, width;
  Index tap_stride;  // values from a tap to the next in the panel
};
void interleave(const float* x, Index stride, const WeightRows&, float* out);

}  // namespace mezzo::kernels
