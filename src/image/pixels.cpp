#include "image/pixels.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "image/formats.h"

namespace mezzo {
namespace {

std::uint8_t blend(int over, int under, int alpha) {
  return static_cast<std::uint8_t>((2 * (over * alpha + under * (255 - alpha)) + 255) / 510);
}

std::size_t pixel_count(const Image& image) {
  return static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
}

/// What an EXIF orientation asks for: first swap the axes, then mirror them.
struct Turn {
  bool transpose, mirror_x, mirror_y;
};
constexpr Turn kTurns[9] = {
    {},                     // not used
    {false, false, false},  // 1: upright
    {false, true, false},   // 2: mirrored
    {false, true, true},    // 3: upside down
    {false, false, true},   // 4: flipped
    {true, false, false},   // 5: transposed
    {true, true, false},    // 6: needs a quarter turn clockwise
    {true, true, true},     // 7: transposed over the other diagonal
    {true, false, true},    // 8: needs a quarter turn counter-clockwise
};

}  // namespace

Image make_image(int width, int height, int channels) {
  check(width > 0 && height > 0 && (channels == 1 || channels == 3 || channels == 4),
        "an image has pixels");
  Image image{width, height, channels, {}};
  image.pixels.resize(image.row_bytes() * static_cast<std::size_t>(height));
  return image;
}

Image to_rgb(const Image& image, const Rgb& background) {
  if (image.channels != 4) return to_rgb(image);
  Image out = make_image(image.width, image.height, 3);
  for (std::size_t i = 0; i < pixel_count(image); ++i)
    for (std::size_t c = 0; c < 3; ++c)
      out.pixels[3 * i + c] =
          blend(image.pixels[4 * i + c], background[c], image.pixels[4 * i + 3]);
  return out;
}

Image to_rgb(const Image& image) {
  if (image.channels == 3) return image;
  Image out = make_image(image.width, image.height, 3);
  const std::size_t step = image.channels == 4 ? 4 : 1, next = image.channels == 4 ? 1 : 0;
  for (std::size_t i = 0; i < pixel_count(image); ++i)
    for (std::size_t c = 0; c < 3; ++c) out.pixels[3 * i + c] = image.pixels[step * i + next * c];
  return out;
}

Image to_grey(const Image& image) {
  if (image.channels == 1) return image;
  Image out = make_image(image.width, image.height, 1);
  const std::size_t step = static_cast<std::size_t>(image.channels);
  for (std::size_t i = 0; i < pixel_count(image); ++i) {
    const std::uint8_t* p = image.pixels.data() + step * i;
    out.pixels[i] =
        static_cast<std::uint8_t>((p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16);
  }
  return out;
}

Image over_white(const Image& image) { return to_rgb(image, {255, 255, 255}); }

Image upright(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const Turn turn = kTurns[orientation];
  Image out = turn.transpose ? make_image(image.height, image.width, image.channels)
                             : make_image(image.width, image.height, image.channels);
  const std::size_t n = static_cast<std::size_t>(image.channels);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      int sx = turn.mirror_x ? out.width - 1 - x : x;
      int sy = turn.mirror_y ? out.height - 1 - y : y;
      if (turn.transpose) std::swap(sx, sy);
      std::copy_n(image.row(sy) + static_cast<std::size_t>(sx) * n, n,
                  out.row(y) + static_cast<std::size_t>(x) * n);
    }
  }
  return out;
}

}  // namespace mezzo
