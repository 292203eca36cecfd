// Pictures brought to another size: pulled, cut at the edges, or with the edges continued.
#pragma once

#include "image/resize.h"

namespace mezzo {

enum class Fit {
  kStretch,  // the whole picture, pulled to the new shape
  kCrop,     // its middle, as much as the new shape holds
  kPad,      // the whole picture; what stays open repeats the pixels at its edge
};

/// The picture at width x height. Throws as resize() does.
Image fit(const Image& image, int width, int height, Fit how,
          ResizeFilter filter = ResizeFilter::kLanczos);

/// A rectangle of pixels.
struct Rect {
  int x = 0, y = 0, width = 0, height = 0;
};

/// A copy of the part inside `r`, which lies in the picture.
Image crop(const Image& image, const Rect& r);

}  // namespace mezzo
