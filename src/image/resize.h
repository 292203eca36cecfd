// Resampling of 8-bit pictures, sample for sample as Pillow does it (separable filters whose
// support grows with the reduction, 22-bit fixed-point weights, an 8-bit picture between the two
// passes).
#pragma once

#include "mezzotint/image.h"

namespace mezzo {

enum class ResizeFilter { kNearest, kBox, kBilinear, kBicubic, kLanczos };

/// The picture at width x height pixels, both > 0. With 4 channels colours are weighted by their
/// alpha. Throws UsageError for sizes outside 1..16,384 or above 64 million pixels.
Image resize(const Image& image, int width, int height,
             ResizeFilter filter = ResizeFilter::kLanczos);

}  // namespace mezzo
