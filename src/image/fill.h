// Holes in a picture filled with the colours around them: push-pull interpolation (Gortler et al.
// 1996).
#pragma once

#include "mezzotint/image.h"

namespace mezzo {

/// The RGB picture with the pixels where `mask` (1 channel, the same size) is >= 128 replaced by a
/// smooth continuation of the others; unchanged where there are no others.
Image fill_from_surroundings(const Image& rgb, const Image& mask);

}  // namespace mezzo
