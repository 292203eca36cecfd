#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "base/error.h"
#include "image/formats.h"

namespace mezzo {
namespace {

constexpr int kPrecision = 22;  // 32 bits less 8 of the sample and 2 of overshoot

double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }
double triangle(double x) { return std::max(0.0, 1.0 - std::abs(x)); }

/// Keys' cubic convolution, a = -1/2.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}
double lanczos3(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

struct FilterRow {
  ResizeFilter filter;
  double (*weight)(double);  // null: nearest
  double support;
};
constexpr FilterRow kFilters[] = {
    {ResizeFilter::kNearest, nullptr, 0},   {ResizeFilter::kBox, box, 0.5},
    {ResizeFilter::kBilinear, triangle, 1}, {ResizeFilter::kBicubic, cubic, 2},
    {ResizeFilter::kLanczos, lanczos3, 3},
};

/// Which input samples make one output sample, and with which weights.
struct Window {
  int first = 0;
  std::vector<std::int32_t> weights;
};

std::vector<Window> windows(int in, int out, const FilterRow& filter) {
  const double scale = static_cast<double>(in) / out;
  const double stretch = std::max(scale, 1.0);
  const double support = filter.support * stretch;
  std::vector<Window> all(static_cast<std::size_t>(out));
  std::vector<double> w;
  for (int i = 0; i < out; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int last = std::min(in, static_cast<int>(center + support + 0.5));
    w.clear();
    double sum = 0;
    for (int j = first; j < last; ++j) {
      w.push_back(filter.weight((j - center + 0.5) * (1.0 / stretch)));
      sum += w.back();
    }
    Window& window = all[static_cast<std::size_t>(i)];
    window.first = first;
    for (double v : w) {
      if (sum != 0) v /= sum;
      const double fixed = v * (1 << kPrecision);
      window.weights.push_back(static_cast<std::int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return all;
}

std::uint8_t to_sample(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecision, 0, 255));
}

constexpr std::int32_t kHalf = 1 << (kPrecision - 1);

Image resize_rows(const Image& in, int width, const FilterRow& filter) {
  Image out = make_image(width, in.height, in.channels);
  const auto all = windows(in.width, width, filter);
  const int n = in.channels;
  for (int y = 0; y < in.height; ++y) {
    std::uint8_t* to = out.row(y);
    for (const Window& window : all) {
      const std::uint8_t* from = in.row(y) + window.first * n;
      for (int c = 0; c < n; ++c) {
        std::int32_t sum = kHalf;
        for (std::size_t k = 0; k < window.weights.size(); ++k)
          sum += from[static_cast<int>(k) * n + c] * window.weights[k];
        *to++ = to_sample(sum);
      }
    }
  }
  return out;
}

Image resize_columns(const Image& in, int height, const FilterRow& filter) {
  Image out = make_image(in.width, height, in.channels);
  const auto all = windows(in.height, height, filter);
  std::vector<std::int32_t> sums(in.row_bytes());
  for (int y = 0; y < height; ++y) {
    const Window& window = all[static_cast<std::size_t>(y)];
    std::ranges::fill(sums, kHalf);
    for (std::size_t k = 0; k < window.weights.size(); ++k) {
      const std::uint8_t* from = in.row(window.first + static_cast<int>(k));
      const std::int32_t weight = window.weights[k];
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += from[i] * weight;
    }
    std::ranges::transform(sums, out.row(y), to_sample);
  }
  return out;
}

/// The sample whose pixel contains the centre of the new one.
Image resize_nearest(const Image& in, int width, int height) {
  Image out = make_image(width, height, in.channels);
  const auto source = [](int i, int from, int to) {
    return static_cast<int>((2 * std::int64_t{i} + 1) * from / (2 * std::int64_t{to}));
  };
  const auto n = static_cast<std::size_t>(in.channels);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      std::copy_n(in.row(source(y, in.height, height)) +
                      static_cast<std::size_t>(source(x, in.width, width)) * n,
                  n, out.row(y) + static_cast<std::size_t>(x) * n);
  return out;
}

Image premultiplied(Image image) {
  for (std::size_t i = 0; i < image.pixels.size(); i += 4) {
    for (std::size_t c = 0; c < 3; ++c) {
      const int v = image.pixels[i + c] * image.pixels[i + 3] + 128;
      image.pixels[i + c] = static_cast<std::uint8_t>(((v >> 8) + v) >> 8);  // rounded v / 255
    }
  }
  return image;
}

Image straight(Image image) {
  for (std::size_t i = 0; i < image.pixels.size(); i += 4) {
    const int alpha = image.pixels[i + 3];
    if (alpha == 0 || alpha == 255) continue;
    for (std::size_t c = 0; c < 3; ++c)
      image.pixels[i + c] =
          static_cast<std::uint8_t>(std::min(255, 255 * image.pixels[i + c] / alpha));
  }
  return image;
}

}  // namespace

Image resize(const Image& image, int width, int height, ResizeFilter filter) {
  constexpr int kMaxSide = 16384;
  constexpr std::int64_t kMaxPixels = std::int64_t{64} << 20;
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide ||
      std::int64_t{width} * height > kMaxPixels)
    fail<UsageError>(
        "{}x{}: a picture cannot be made that size; choose 1 to {} pixels a side and {} million in "
        "all",
        width, height, kMaxSide, kMaxPixels >> 20);
  check(!image.empty(), "a picture to be resized has pixels");
  if (width == image.width && height == image.height) return image;
  const FilterRow& row = *std::ranges::find(kFilters, filter, &FilterRow::filter);
  if (!row.weight) return resize_nearest(image, width, height);

  Image out = image.channels == 4 ? premultiplied(image) : image;
  // Pillow 13 takes the columns first where that leaves less between the passes; older ones always
  // began with the rows.
  const bool columns_first = width > out.width && height < out.height;
  if (columns_first) out = resize_columns(out, height, row);
  if (width != out.width) out = resize_rows(out, width, row);
  if (height != out.height) out = resize_columns(out, height, row);
  return out.channels == 4 ? straight(std::move(out)) : out;
}

}  // namespace mezzo
