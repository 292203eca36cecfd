#include "sampling/image_noise.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace mezzo::sampling {

std::vector<float> slerp(double strength, const std::vector<float>& low,
                         const std::vector<float>& high, int channels, int height, int width) {
  constexpr double kParallel = 0.9995;
  const auto h = static_cast<std::size_t>(height), w = static_cast<std::size_t>(width);
  const std::size_t columns = static_cast<std::size_t>(channels) * w;
  const auto index = [&](std::size_t column, std::size_t y) {
    return (column / w * h + y) * w + column % w;
  };
  std::vector<double> dots(columns);
  double mean = 0;
  for (std::size_t c = 0; c < columns; ++c) {
    double ll = 0, hh = 0, lh = 0;
    for (std::size_t y = 0; y < h; ++y) {
      const double a = low[index(c, y)], b = high[index(c, y)];
      ll += a * a;
      hh += b * b;
      lh += a * b;
    }
    dots[c] = lh / std::sqrt(ll * hh);
    mean += dots[c] / static_cast<double>(columns);
  }
  std::vector<float> out(low.size());
  for (std::size_t c = 0; c < columns; ++c) {
    const double omega = std::acos(dots[c]), so = std::sin(omega);
    double a = std::sin((1 - strength) * omega) / so, b = std::sin(strength * omega) / so;
    if (mean > kParallel) {
      a = strength;
      b = 1 - strength;
    }
    for (std::size_t y = 0; y < h; ++y) {
      const std::size_t i = index(c, y);
      out[i] = static_cast<float>(a * low[i] + b * high[i]);
    }
  }
  return out;
}

ImageNoise::ImageNoise(ImageNoiseConfig config) : config_(std::move(config)) {
  if (config_.channels < 1 || config_.height < 1 || config_.width < 1)
    fail<UsageError>("noise of {} x {} x {} values is impossible", config_.channels, config_.height,
                     config_.width);
}

std::size_t ImageNoise::size() const {
  return static_cast<std::size_t>(config_.channels) * static_cast<std::size_t>(config_.height) *
         static_cast<std::size_t>(config_.width);
}

std::vector<float> ImageNoise::first(std::size_t image) {
  const ImageNoiseConfig& c = config_;
  const bool resized = c.from_height > 0 && c.from_width > 0;
  const int h = resized ? c.from_height : c.height, w = resized ? c.from_width : c.width;
  const std::size_t count = static_cast<std::size_t>(c.channels) * static_cast<std::size_t>(h) *
                            static_cast<std::size_t>(w);
  const std::uint64_t seed = c.seeds[image];
  std::vector<float> noise;
  if (c.variation_strength == 0) {
    noise = make_generator(c.source, seed)->normal(count);
  } else {
    const std::uint64_t other = image < c.variation_seeds.size() ? c.variation_seeds[image] : 0;
    const auto low = make_generator(c.source, seed)->normal(count);
    const auto high = make_generator(c.source, other)->normal(count);
    noise = slerp(c.variation_strength, low, high, c.channels, h, w);
  }
  if (!resized) {
    generators_.push_back(make_generator(c.source, seed));
    generators_.back()->normal(count);
    return noise;
  }
  // The old noise lies centred in new noise of the same seed; where it is larger its middle is
  // taken.
  generators_.push_back(make_generator(c.source, seed));
  std::vector<float> out = generators_.back()->normal(size());
  const int dy = (c.height - h) / 2, dx = (c.width - w) / 2;
  for (int k = 0; k < c.channels; ++k)
    for (int y = std::max(0, dy); y < std::min(c.height, h + std::max(0, dy)) && y - dy < h; ++y)
      for (int x = std::max(0, dx); x < std::min(c.width, w + std::max(0, dx)) && x - dx < w; ++x)
        out[static_cast<std::size_t>((k * c.height + y) * c.width + x)] =
            noise[static_cast<std::size_t>((k * h + y - dy) * w + x - dx)];
  return out;
}

std::vector<float> ImageNoise::next() {
  std::vector<float> out;
  if (!started_) {
    started_ = true;
    for (std::size_t i = 0; i < config_.seeds.size(); ++i) {
      const auto v = first(i);
      out.insert(out.end(), v.begin(), v.end());
    }
    if (config_.eta_seed_delta != 0)
      for (std::size_t i = 0; i < config_.seeds.size(); ++i)
        generators_[i] = make_generator(config_.source, config_.seeds[i] + config_.eta_seed_delta);
    return out;
  }
  for (auto& generator : generators_) {
    const auto v = generator->normal(size());
    out.insert(out.end(), v.begin(), v.end());
  }
  return out;
}

}  // namespace mezzo::sampling
