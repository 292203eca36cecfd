// Kernels of Winograd convolutions F(m x m, 3x3), m = 4 or 6, on NHWC memory: transforms of a tile,
// and the products between. A tile has (m + 2)^2 points; `point` is the distance between values of
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
/// w: [3 * 3][block in][block out] -> out[p * point + i * panel_width() + o].
void winograd_weight(int m, const float* w, Index block, float* out, Index point);
/// products[p * point + c] -> pixels of the result, with bias and residual.
void winograd_output(int m, const float* products, Index point, const float* bias, Index channels,
                     const WinogradTile& to);

/// Columns of a panel, and the number of which rows of a product are a multiple.
Index panel_width();
constexpr Index kPanelRows = 12;
/// Whether winograd_weight takes blocks of this size: whole vectors that lie in one panel.
inline bool winograd_reads(Index block) {
  return panel_width() % block == 0 && 2 * block % panel_width() == 0;
}
/// c[r][p * width + j] = sum over k < depth of a[r][k] * b[p][k][j], width = panel_width().
void panel_product(const float* a, Index a_stride, Index rows, const float* b, Index depth,
                   Index panels, float* c, Index c_stride);

}  // namespace mezzo::kernels
