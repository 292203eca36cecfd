// The random numbers of a batch, in the order in which a pipeline asks for them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sampling/options.h"

namespace mezzo {

/// Where a run's noise comes from.
class Draws {
 public:
  virtual ~Draws() = default;
  /// Standard normal values for every picture of the batch, [B, channels, height, width], one after
  /// the other.
  virtual std::vector<float> next(std::int64_t channels, std::int64_t height,
                                  std::int64_t width) = 0;
  /// Noise of one Brownian path a picture, `size` numbers each, for SDE samplers between these
  /// sigmas: the same picture whatever the number of steps.
  virtual sampling::NoiseSource path(double sigma_min, double sigma_max, std::size_t size) = 0;
};

/// A generator for each picture, so that a picture is the same whatever is drawn beside it.
/// source: "nv" (Philox) or "cpu" (PyTorch's generator). Throws UsageError for another name.
std::unique_ptr<Draws> draws_per_picture(const std::string& source,
                                         std::span<const std::int64_t> seeds);

}  // namespace mezzo
