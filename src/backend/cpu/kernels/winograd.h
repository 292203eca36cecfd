// Kernels of Winograd convolutions F(m x m, 3x3), m = 4 or 6, on NHWC memory: transforms of a tile,
// A tile has (m + 2)^2 points; `point` is the distance between values of
// the next one. Channel counts are whole vectors.
#pragma once

#include "backend/cpu/kernels/kernels.h"

namespace mezzo::kernels {

/// Where the m x m pixels of a result go, row by row, and the residuals (all null: none).
struct WinogradTile {
  float* out[36];
  const float* add[36];
};

/// pixels: the (m + 2)^2 pixels that a tile needs, each with its channels -> out[p * point + c].
void winograd_input(int m, const float* const* pixels, Index channels, float* out, Index point);
/// Some input channels of a panel of a weight: [3 * 3][channels][width], taps tap_stride apart.
struct WeightPiece {
  const float* values;
  Index tap_stride, channels, width;
};
/// -> out[p * point + i * width + o].
void winograd_weight(int m, const WeightPiece&, float* out, Index point);
/// products[p * point + c] -> pixels of the result, with bias and residual.
void winograd_output(int m, const float* products, Index point, const float* bias, Index channels,
                     const WinogradTile& to);

}  // namespace mezzo::kernels
