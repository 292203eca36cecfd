#include "sampling/brownian.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sampling/random.h"
#include "sampling/seed_sequence.h"

namespace mezzo::sampling {
namespace {

constexpr std::size_t kPoolSize = 24;

/// Times are kept to six digits, so that the tree is finite. Rounds the exact value of t, as
/// Python's round() does: the smallest intervals depend on it.
double rounded(double t) {
  constexpr double kDigits = 1e6;
  double r = std::nearbyint(t * kDigits);
  const double rest = std::fma(t, kDigits, -r);
  if (rest > 0.5) r += 1;
  if (rest < -0.5) r -= 1;
  return r / kDigits;
}

std::vector<float> unit_noise(std::size_t n, std::uint32_t seed) {
  return TorchCpuGenerator(seed).normal(n);
}

}  // namespace

/// An interval of the tree and its increment. Its halves are made again whenever they are needed: a
/// run visits few of them twice, and all of them together are large.
struct BrownianTree::Node {
  double start, end;
  std::uint64_t key, depth;
  std::vector<float> w;
};

BrownianTree::BrownianTree(double t0, double t1, std::size_t size, std::uint64_t seed)
    : seed_(seed) {
  std::vector<float> w = unit_noise(size, seed_sequence(seed, {}, kPoolSize, 1)[0]);
  for (float& v : w) v *= static_cast<float>(std::sqrt(t1 - t0));
  root_ = std::make_unique<Node>(Node{rounded(t0), rounded(t1), 0, 0, std::move(w)});
}

BrownianTree::~BrownianTree() = default;

std::pair<BrownianTree::Node, BrownianTree::Node> BrownianTree::halves(const Node& n) const {
  const std::size_t size = n.w.size();
  const double middle = rounded(0.5 * (n.end + n.start));
  const std::array<std::uint64_t, 2> spawn = {n.key, n.depth};
  const std::vector<float> noise = unit_noise(size, seed_sequence(seed_, spawn, kPoolSize, 1)[0]);
  const double share = (middle - n.start) / (n.end - n.start);
  const double deviation = std::sqrt((middle - n.start) * (n.end - middle) / (n.end - n.start));
  std::vector<float> a(size), b(size);
  for (std::size_t i = 0; i < size; ++i) {
    a[i] = static_cast<float>(share * n.w[i] + deviation * noise[i]);
    b[i] = n.w[i] - a[i];
  }
  return {Node{n.start, middle, 2 * n.key, n.depth + 1, std::move(a)},
          Node{middle, n.end, 2 * n.key + 1, n.depth + 1, std::move(b)}};
}

/// Adds the increment over [a, b], inside this interval, to `out`.
void BrownianTree::add(const Node& n, double a, double b, std::vector<float>& out) const {
  if (a >= b) return;
  if (a <= n.start && b >= n.end) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += n.w[i];
    return;
  }
  const auto [left, right] = halves(n);
  add(left, a, std::min(b, left.end), out);
  add(right, std::max(a, right.start), b, out);
}

std::vector<float> BrownianTree::increment(double a, double b) const {
  std::vector<float> out(root_->w.size());
  const auto inside = [&](double t) { return std::clamp(rounded(t), root_->start, root_->end); };
  add(*root_, inside(a), inside(b), out);
  return out;
}

NoiseSource brownian_noise(double sigma_min, double sigma_max, std::size_t size_per_image,
                           const std::vector<std::uint64_t>& seeds) {
  auto trees = std::make_shared<std::vector<std::unique_ptr<BrownianTree>>>();
  for (std::uint64_t seed : seeds)
    trees->push_back(std::make_unique<BrownianTree>(sigma_min, sigma_max, size_per_image, seed));
  return [trees](double from, double to) {
    std::vector<double> out;
    const double low = std::min(from, to), high = std::max(from, to);
    // A step down goes back along the path.
    const double scale = (from > to ? -1 : 1) / std::sqrt(high - low);
    for (auto& tree : *trees)
      for (float v : tree->increment(low, high)) out.push_back(scale * v);
    return Latents(std::move(out));
  };
}

}  // namespace mezzo::sampling
