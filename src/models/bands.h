// Layers over a large picture some rows at a time: what lies between two convolutions is only ever
// there for one band. Statistics of norms are taken over the whole picture beforehand
// (nn::GroupNorm::factors()), and every band is computed with the rows that its convolution looks
// at, so there are no seams: results differ from those of the whole picture by rounding alone.
#pragma once

#include <functional>

#include "ops/ops.h"

namespace mezzo {

/// How rows of x become rows of the result.
struct BandedLayer {
  std::int64_t rows;       // of x in a band, the halo beside; see band_rows()
  std::int64_t channels;   // of the result
  std::int64_t scale = 1;  // rows and columns of the result for one of x
  std::int64_t halo = 1;   // rows of x beside a row that its results depend on
  /// [1, rows, W, C] -> [1, scale * rows, scale * W, channels].
  std::function<Tensor(const Tensor& band)> compute;
};

/// Rows of a picture [1, H, W, C] that make about `values` numbers; 0 where the picture is so small
/// that bands save nothing, and where `values` is 0.
std::int64_t band_rows(const Shape& picture, std::int64_t values);

/// x [1, H, W, C] -> [1, scale*H, scale*W, channels], band by band.
Tensor in_bands(const Tensor& x, const BandedLayer& layer);
/// The same in the memory of x, for layers of scale 1 without halo that do not add channels. Nobody
/// else may need x.
Tensor in_bands_in_place(Tensor x, const BandedLayer& layer);
/// target += layer(x), band by band, in the memory of target.
void add_in_bands(Tensor& target, const Tensor& x, const BandedLayer& layer);

}  // namespace mezzo
