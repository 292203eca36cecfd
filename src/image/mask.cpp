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

std::vector<double> gaussian(double sigma) {
  const int radius = static_cast<int>(2.5 * sigma + 0.5);
  std::vector<double> kernel;
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) {
    kernel.push_back(std::exp(-i * i / (2 * sigma * sigma)));
    sum += kernel.back();
  }
  for (double& k : kernel) k /= sum;
  return kernel;
}

/// Index i of a line of n samples that is mirrored at its ends: ... 2 1 | 0 1 2 ...
int mirrored(int i, int n) {
  if (n == 1) return 0;
  const int period = 2 * (n - 1);
  i = std::abs(i) % period;
  return i < n ? i : period - i;
}

/// The mask blurred along its rows, turned by swapping the axes: applied twice it blurs both ways.
Image blur_rows_transposed(const Image& in, const std::vector<double>& kernel) {
  Image out = make_image(in.height, in.width, 1);
  const int radius = static_cast<int>(kernel.size() / 2);
  std::vector<int> index(static_cast<std::size_t>(in.width) + 2 * static_cast<std::size_t>(radius));
  for (std::size_t i = 0; i < index.size(); ++i)
    index[i] = mirrored(static_cast<int>(i) - radius, in.width);
  for (int y = 0; y < in.height; ++y) {
    const std::uint8_t* row = in.row(y);
    for (int x = 0; x < in.width; ++x) {
      double sum = 0;
      for (std::size_t k = 0; k < kernel.size(); ++k)
        sum += kernel[k] * row[index[static_cast<std::size_t>(x) + k]];
      out.row(x)[y] = static_cast<std::uint8_t>(std::clamp(std::lround(sum), 0L, 255L));
    }
  }
  return out;
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

Image blur(const Image& mask, double sigma) {
  constexpr double kMaxSigma = 256;
  if (!(sigma >= 0 && sigma <= kMaxSigma))
    fail<UsageError>("mask blur {}: must be 0 to {} pixels", sigma, kMaxSigma);
  check(mask.channels == 1, "a mask has one channel");
  if (sigma == 0 || mask.empty()) return mask;
  const auto kernel = gaussian(sigma);
  return blur_rows_transposed(blur_rows_transposed(mask, kernel), kernel);
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
