// Pixels from one form to another: channels, transparency, orientation.
#pragma once

#include <array>
#include <cstdint>

#include "mezzotint/image.h"

namespace mezzo {

using Rgb = std::array<std::uint8_t, 3>;

/// 3 channels; transparency is composited over `background`, rounded half up.
Image to_rgb(const Image& image, const Rgb& background);

/// 3 channels; transparency is dropped, as the reference tools do it for image-to-image.
Image to_rgb(const Image& image);

/// 1 channel: ITU-R 601 luma in Pillow's fixed-point form; transparency is dropped.
Image to_grey(const Image& image);

/// The picture as it is to be seen, from pixels stored with an EXIF orientation of 1..8.
Image upright(Image image, int orientation);

}  // namespace mezzo
