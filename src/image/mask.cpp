#include "image/mask.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "image/formats.h"
#include "image/pixels.h"

namespace mezzo {
namespace {

/// Of each pixel of a row the distance to the nearest that is 0, `far` where that is more.
std::vector<int> distances_in_row(std::span<const std::uint8_t> row, int far) {
  std::vector<int> distances(row.size());
  int since = far;
  for (std::size_t x = 0; x < row.size(); ++x)
    distances[x] = since = row[x] ? std::min(since + 1, far) : 0;
  since = far;
  for (std::size_t x = row.size(); x-- > 0;)
    distances[x] = std::min(distances[x], since = row[x] ? std::min(since + 1, far) : 0);
  return distances;
}

}  // namespace

bool has_transparency(const Image& image) {
  if (image.channels != 4) return false;
  for (std::size_t i = 3; i < image.pixels.size(); i += 4)
    if (image.pixels[i] != 255) return true;
  return false;
}

Image mask_from_image(const Image& image, MaskConvention convention) {
  if (!has_transparency(image)) return to_grey(image);
  Image mask = make_image(image.width, image.height, 1);
  const bool opaque_repaints = convention == MaskConvention::kWhiteRepaints;
  for (std::size_t i = 0; i < mask.pixels.size(); ++i)
    mask.pixels[i] = (image.pixels[4 * i + 3] > 128) == opaque_repaints ? 255 : 0;
  return mask;
}

Image invert(const Image& mask) {
  Image out = mask;
  for (auto& v : out.pixels) v = static_cast<std::uint8_t>(255 - v);
  return out;
}

Image threshold(const Image& mask, double level) {
  check(level >= 0 && level <= 1, "a mask's threshold is 0 to 1");
  Image out = mask;
  for (auto& v : out.pixels) v = v >= level * 255 ? 255 : 0;
  return out;
}

Image feather(const Image& mask, double blur) {
  constexpr double kMost = 256;
  if (!(blur >= 0 && blur <= kMost))
    fail<UsageError>("mask blur {}: must be 0 to {} pixels", blur, kMost);
  check(mask.channels == 1, "a mask has one channel");
  const double ramp = std::max(blur, 0.5);  // half a pixel: all of the mask
  const int far = static_cast<int>(std::ceil(ramp)) + 1;
  std::vector<std::vector<int>> rows;
  for (int y = 0; y < mask.height; ++y)
    rows.push_back(distances_in_row({mask.row(y), static_cast<std::size_t>(mask.width)}, far));
  Image out = make_image(mask.width, mask.height, 1);
  for (int y = 0; y < mask.height; ++y)
    for (int x = 0; x < mask.width; ++x) {
      const auto in_row = [&](int v) {
        return rows[static_cast<std::size_t>(v)][static_cast<std::size_t>(x)];
      };
      int square = in_row(y) * in_row(y);  // of the distance in the plane
      for (int d = 1; d * d < square; ++d)
        for (const int v : {y - d, y + d})
          if (v >= 0 && v < mask.height) square = std::min(square, d * d + in_row(v) * in_row(v));
      const double from_edge = std::sqrt(square) - 0.5;
      out.row(y)[x] =
          static_cast<std::uint8_t>(std::lround(255 * std::clamp(from_edge / ramp, 0.0, 1.0)));
    }
  return out;
}

Image mask_to_latent(const Image& mask, int width, int height) {
  check(mask.channels == 1 && !mask.empty(), "a mask has one channel and pixels");
  Image out = make_image(width, height, 1);
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* row = mask.row(static_cast<int>(std::int64_t{y} * mask.height / height));
    for (int x = 0; x < width; ++x) out.row(y)[x] = row[std::int64_t{x} * mask.width / width];
  }
  return out;
}

bool is_blank(const Image& mask) {
  return std::ranges::all_of(mask.pixels, [](std::uint8_t v) { return v == 0; });
}

}  // namespace mezzo
