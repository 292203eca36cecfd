// Noise for SDE samplers from one Brownian path: the same picture whatever the steps that visit it.
// A virtual Brownian tree (Li et al. 2020, arXiv:2001.01328) with the numbers of
// torchsde.BrownianTree and k-diffusion's noise sampler.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "sampling/options.h"

namespace mezzo::sampling {

class BrownianTree {
 public:
  /// A path of `size` numbers over [t0, t1], t0 < t1. Seeds are those of torchsde's `entropy`.
  BrownianTree(double t0, double t1, std::size_t size, std::uint64_t seed);
  ~BrownianTree();
  /// W(b) - W(a) for t0 <= a <= b <= t1; limits outside are moved to the ends.
  std::vector<float> increment(double a, double b) const;

 private:
  struct Node;
  std::pair<Node, Node> halves(const Node&) const;
  void add(const Node&, double a, double b, std::vector<float>& out) const;

  std::uint64_t seed_;
  std::unique_ptr<Node> root_;
};

/// Unit normal noise for steps between two sigmas of [sigma_min, sigma_max]; one tree for each
/// image.
NoiseSource brownian_noise(double sigma_min, double sigma_max, std::size_t size_per_image,
                           const std::vector<std::uint64_t>& seeds);

}  // namespace mezzo::sampling
