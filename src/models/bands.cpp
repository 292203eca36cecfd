#include "models/bands.h"

#include <algorithm>

namespace mezzo {
namespace {

constexpr std::int64_t kLeastRows = 8;  // fewer would mostly compute halos

/// Calls take(first row of the result, its rows) for every band.
template <class Take>
void for_each_band(const Tensor& x, const BandedLayer& layer, const Take& take) {
  check(x.rank() == 4 && x.dim(0) == 1 && layer.rows > 0, "bands are rows of one picture");
  const auto height = x.dim(1);
  for (std::int64_t begin = 0; begin < height; begin += layer.rows) {
    const auto end = std::min(begin + layer.rows, height);
    const auto first = std::max<std::int64_t>(begin - layer.halo, 0),
               last = std::min(end + layer.halo, height);
    const Tensor band = layer.compute(x.slice(1, first, last));
    take(layer.scale * begin,
         band.slice(1, layer.scale * (begin - first), layer.scale * (end - first)));
  }
}

}  // namespace

std::int64_t band_rows(const Shape& picture, std::int64_t values) {
  const auto rows =
      std::max(kLeastRows, values / std::max<std::int64_t>(picture[2] * picture[3], 1));
  return values > 0 && picture[0] == 1 && picture[1] >= 2 * rows ? rows : 0;
}

Tensor in_bands(const Tensor& x, const BandedLayer& layer) {
  Tensor out(x.device(), DType::kF32,
             {1, layer.scale * x.dim(1), layer.scale * x.dim(2), layer.channels});
  for_each_band(x, layer, [&](std::int64_t row, const Tensor& rows) {
    Tensor place = out.slice(1, row, row + rows.dim(1));
    ops::backend_of(x).copy(rows, place);
  });
  return out;
}

Tensor in_bands_in_place(Tensor x, const BandedLayer& layer) {
  check(layer.scale == 1 && layer.halo == 0 && layer.channels <= x.dim(3),
        "a result in the memory of its operand is no larger");
  // Rows of the result end before those of x that are still to be read.
  Tensor out(std::make_shared<Tensor>(x), x.raw(), x.device(), DType::kF32,
             {1, x.dim(1), x.dim(2), layer.channels});
  for_each_band(x, layer, [&](std::int64_t row, const Tensor& rows) {
    Tensor place = out.slice(1, row, row + rows.dim(1));
    ops::backend_of(x).copy(rows, place);
  });
  return out;
}

void add_in_bands(Tensor& target, const Tensor& x, const BandedLayer& layer) {
  for_each_band(x, layer, [&](std::int64_t row, const Tensor& rows) {
    Tensor place = target.slice(1, row, row + rows.dim(1));
    ops::backend_of(x).add(place, rows, place);
  });
}

}  // namespace mezzo
