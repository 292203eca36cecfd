#include "image/mask.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "image/formats.h"
#include "image/pixels.h"

namespace mezzo {
namespace {

/// For each place of a line the best of what f(value, distance) makes of those within `reach`.
template <class F, class Better>
void window(std::vector<float>& line, int reach, F f, Better better) {
  const std::vector<float> in = line;
  const int n = static_cast<int>(in.size());
  for (int i = 0; i < n; ++i) {
    float& best = line[static_cast<std::size_t>(i)];
    for (int j = std::max(0, i - reach); j <= std::min(n - 1, i + reach); ++j)
      best = better(best, f(in[static_cast<std::size_t>(j)], static_cast<float>(i - j)));
  }
}

/// The same over rows, then over columns.
template <class F, class Better>
void window_2d(std::vector<float>& values, int width, int height, int reach, F f, Better better) {
  const auto at = [&](int x, int y) -> float& {
    return values[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                  static_cast<std::size_t>(x)];
  };
  std::vector<float> line(static_cast<std::size_t>(width));
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) line[static_cast<std::size_t>(x)] = at(x, y);
    window(line, reach, f, better);
    for (int x = 0; x < width; ++x) at(x, y) = line[static_cast<std::size_t>(x)];
  }
  line.resize(static_cast<std::size_t>(height));
  for (int x = 0; x < width; ++x) {
    for (int y = 0; y < height; ++y) line[static_cast<std::size_t>(y)] = at(x, y);
    window(line, reach, f, better);
    for (int y = 0; y < height; ++y) at(x, y) = line[static_cast<std::size_t>(y)];
  }
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
  Image out = threshold(mask, 1.0 / 255);
  if (blur == 0 || mask.empty()) return out;
  const auto reach = static_cast<float>(blur);
  const int pixels = static_cast<int>(std::ceil(reach)) + 1;
  // Squared distances to what is kept, as far as they matter; exact, since they add up by axes.
  std::vector<float> distance(out.pixels.size());
  for (std::size_t i = 0; i < distance.size(); ++i)
    distance[i] = out.pixels[i] ? static_cast<float>(pixels) * static_cast<float>(pixels) : 0;
  window_2d(
      distance, mask.width, mask.height, pixels, [](float v, float d) { return v + d * d; },
      [](float a, float b) { return std::min(a, b); });
  for (float& d : distance) d = std::max(std::sqrt(d) - 0.5f, 0.0f);  // to its edge
  // A narrower part fades as far as its middle.
  std::vector<float> widest = distance;
  window_2d(
      widest, mask.width, mask.height, pixels, [](float v, float) { return v; },
      [](float a, float b) { return std::max(a, b); });
  for (std::size_t i = 0; i < distance.size(); ++i) {
    const float ramp = std::max(std::min(reach, widest[i]), 0.5f);
    if (out.pixels[i])
      out.pixels[i] =
          static_cast<std::uint8_t>(std::lround(255 * std::min(distance[i] / ramp, 1.0f)));
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
