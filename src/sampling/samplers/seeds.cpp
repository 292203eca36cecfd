// SEEDS-2 and SEEDS-3: Gonzalez et al. 2023 (arXiv:2305.14267): exponential Runge-Kutta steps of
// the reverse SDE, with the noise of a whole step shared by its stages.
#include <cmath>

#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

double phi2_h(double h) { return (std::expm1(h) - h) / h; }  // h phi_2(h)

/// The unit of noise that accumulates over the stages of a step, in units of the sigma it is added
/// at.
class StageNoise {
 public:
  StageNoise(const SamplerOptions& o, double h_eta) : o_(o), h_eta_(h_eta) {}
  /// Goes on to share r of the step and adds the noise gathered so far to x.
  void add(Latents& x, double r, double sigma_from, double sigma) {
    if (h_eta_ <= 0 || o_.s_noise <= 0) return;
    const double segment = (r_ - r) * h_eta_;
    Latents fresh = std::sqrt(-std::expm1(2 * segment)) * draw_noise(o_, sigma_from, sigma);
    noise_ = noise_.size() == 0 ? std::move(fresh) : std::exp(segment) * std::move(noise_) + fresh;
    r_ = r;
    x.add(sigma * o_.s_noise, noise_);
  }

 private:
  const SamplerOptions& o_;
  double h_eta_, r_ = 0;
  Latents noise_;
};

}  // namespace

Latents sample_seeds_2(const Denoiser& denoise, Latents x, const Schedule& original,
                       const SamplerOptions& o) {
  const Schedule s = original.with_finite_lambda();
  const double eta = o.eta.value_or(1), r = o.midpoint, weight = 1 / (2 * r);
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    if (to.sigma == 0) {
      x = x0;
    } else {
      const double h = to.lambda() - at.lambda(), he = h * (1 + eta);
      const Point p1 = s.at_lambda(at.lambda() + r * h);
      StageNoise noise(o, h * eta);
      const auto keep = [&](const Point& p, double share) {
        return p.sigma / at.sigma * std::exp(-share * h * eta);
      };
      Latents x1 = (keep(p1, r) * x).add(-p1.alpha * std::expm1(-r * he), x0);
      noise.add(x1, r, at.sigma, p1.sigma);
      const Latents mixed = ((1 - weight) * x0).add(weight, denoise(x1, p1));
      x = (keep(to, 1) * std::move(x)).add(-to.alpha * std::expm1(-he), mixed);
      noise.add(x, 1, p1.sigma, to.sigma);
    }
    finish_step(o, s, i, x0, x);
  }
  return x;
}

Latents sample_seeds_3(const Denoiser& denoise, Latents x, const Schedule& original,
                       const SamplerOptions& o) {
  constexpr double kR1 = 1. / 3, kR2 = 2. / 3;
  const Schedule s = original.with_finite_lambda();
  const double eta = o.eta.value_or(1);
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    if (to.sigma == 0) {
      x = x0;
    } else {
      const double h = to.lambda() - at.lambda(), he = h * (1 + eta);
      const Point p1 = s.at_lambda(at.lambda() + kR1 * h), p2 = s.at_lambda(at.lambda() + kR2 * h);
      StageNoise noise(o, h * eta);
      const auto keep = [&](const Point& p, double share) {
        return p.sigma / at.sigma * std::exp(-share * h * eta);
      };
      Latents x1 = (keep(p1, kR1) * x).add(-p1.alpha * std::expm1(-kR1 * he), x0);
      noise.add(x1, kR1, at.sigma, p1.sigma);
      const Latents x0_1 = denoise(x1, p1);

      const double a2 = kR2 / kR1 * phi2_h(-kR2 * he), a1 = std::expm1(-kR2 * he) - a2;
      Latents x2 = (keep(p2, kR2) * x).add(-p2.alpha * a1, x0).add(-p2.alpha * a2, x0_1);
      noise.add(x2, kR2, p1.sigma, p2.sigma);
      const Latents x0_2 = denoise(x2, p2);

      const double b3 = phi2_h(-he) / kR2, b1 = std::expm1(-he) - b3;
      x = (keep(to, 1) * std::move(x)).add(-to.alpha * b1, x0).add(-to.alpha * b3, x0_2);
      noise.add(x, 1, p2.sigma, to.sigma);
    }
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace mezzo::sampling
