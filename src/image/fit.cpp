#include "image/fit.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "image/formats.h"

namespace mezzo {
namespace {

int scaled(int side, double scale) {
  return std::max(1, static_cast<int>(std::lround(side * scale)));
}

/// `inner` in the middle of a picture of width x height, its edges repeated around it.
Image with_edges_repeated(const Image& inner, int width, int height) {
  Image out = make_image(width, height, inner.channels);
  const int left = (width - inner.width) / 2, top = (height - inner.height) / 2;
  const auto n = static_cast<std::size_t>(inner.channels);
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* row = inner.row(std::clamp(y - top, 0, inner.height - 1));
    for (int x = 0; x < width; ++x)
      std::memcpy(out.row(y) + static_cast<std::size_t>(x) * n,
                  row + static_cast<std::size_t>(std::clamp(x - left, 0, inner.width - 1)) * n, n);
  }
  return out;
}

}  // namespace

Image crop(const Image& image, const Rect& r) {
  check(r.x >= 0 && r.y >= 0 && r.width > 0 && r.height > 0 && r.x + r.width <= image.width &&
            r.y + r.height <= image.height,
        "a part lies inside its picture");
  Image out = make_image(r.width, r.height, image.channels);
  const auto n = static_cast<std::size_t>(image.channels);
  for (int y = 0; y < r.height; ++y)
    std::memcpy(out.row(y), image.row(r.y + y) + static_cast<std::size_t>(r.x) * n,
                out.row_bytes());
  return out;
}

Image fit(const Image& image, int width, int height, Fit how, ResizeFilter filter) {
  if (image.width == width && image.height == height) return image;
  const double across = static_cast<double>(width) / image.width,
               down = static_cast<double>(height) / image.height;
  switch (how) {
    case Fit::kStretch:
      break;
    case Fit::kCrop: {
      // What is kept, in pixels of the original.
      const double scale = std::max(across, down);
      const int w = std::min(image.width, scaled(width, 1 / scale)),
                h = std::min(image.height, scaled(height, 1 / scale));
      const Rect middle{(image.width - w) / 2, (image.height - h) / 2, w, h};
      return resize(crop(image, middle), width, height, filter);
    }
    case Fit::kPad: {
      const double scale = std::min(across, down);
      return with_edges_repeated(resize(image, std::min(width, scaled(image.width, scale)),
                                        std::min(height, scaled(image.height, scale)), filter),
                                 width, height);
    }
  }
  return resize(image, width, height, filter);
}

}  // namespace mezzo
