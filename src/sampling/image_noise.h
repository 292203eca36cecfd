// Noise of one generator per image, as A1111 draws it: seeds, variation seeds, seed resize and eta
// noise seed delta.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sampling/random.h"

namespace mezzo::sampling {

struct ImageNoiseConfig {
  RandomSource source = RandomSource::kPhilox;
  int channels = 4, height = 64, width = 64;  // of the latents
  std::vector<std::uint64_t> seeds;           // one for each image
  /// Noise is mixed with that of these seeds; missing ones are 0.
  std::vector<std::uint64_t> variation_seeds = {};
  double variation_strength = 0;
  /// Latent size that the seed was used at before; 0: the same.
  int from_height = 0, from_width = 0;
  /// Draws after the first come from fresh generators seeded seed + delta; 0: the generators go on.
  std::uint64_t eta_seed_delta = 0;
};

class ImageNoise {
 public:
  /// Throws UsageError for sizes below 1.
  explicit ImageNoise(ImageNoiseConfig);
  /// [images, channels, height, width]: first the noise to start from, then that of each ancestral
  /// step.
  std::vector<float> next();

 private:
  std::vector<float> first(std::size_t image);
  std::size_t size() const;

  ImageNoiseConfig config_;
  std::vector<std::unique_ptr<Generator>> generators_;
  bool started_ = false;
};

/// Spherical interpolation, over the rows of [channels, height, width] as A1111 does it: norms and
/// dot products run along the height. Nearly parallel noise is mixed in a straight line, with
/// A1111's reversed weights.
std::vector<float> slerp(double strength, const std::vector<float>& low,
                         const std::vector<float>& high, int channels, int height, int width);

}  // namespace mezzo::sampling
