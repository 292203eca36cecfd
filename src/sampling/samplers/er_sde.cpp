// ER-SDE: Cui et al. 2023 (arXiv:2309.06169), the variance-preserving solver of up to three stages.
#include <algorithm>
#include <cmath>

#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

/// The paper's noise scale phi, "ER-SDE 5".
double noise_scale(double rho) { return rho * (std::exp(std::pow(rho, 0.3)) + 10); }

/// Sums that stand for the integrals of 1/phi and (rho - rho_s)/phi from rho_t up to rho_s.
struct Integrals {
  double one = 0, linear = 0;
};
Integrals integrate(double rho_s, double rho_t) {
  constexpr int kPoints = 200;
  const double step = (rho_s - rho_t) / kPoints;
  Integrals sum;
  for (int k = 0; k < kPoints; ++k) {
    const double rho = rho_t + k * step;
    sum.one += step / noise_scale(rho);
    sum.linear += step * (rho - rho_s) / noise_scale(rho);
  }
  return sum;
}

}  // namespace

Latents sample_er_sde(const Denoiser& denoise, Latents x, const Schedule& original,
                      const SamplerOptions& o) {
  const Schedule s = original.with_finite_lambda();
  const auto highest = static_cast<std::size_t>(o.order.value_or(3));
  Latents old, old_d;
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    const std::size_t stages = std::min(highest, i + 1);
    if (to.sigma == 0) {
      x = x0;
    } else {
      const double rho_s = at.rho(), rho_t = to.rho(), phi_t = noise_scale(rho_t);
      const double r = phi_t / noise_scale(rho_s), dt = rho_t - rho_s;
      x = (to.alpha / at.alpha * r * std::move(x)).add(to.alpha * (1 - r), x0);
      if (stages >= 2) {
        const Integrals sum = integrate(rho_s, rho_t);
        Latents d = (x0 - old) / (rho_s - s.points[i - 1].rho());
        x.add(to.alpha * (dt + sum.one * phi_t), d);
        if (stages >= 3) {
          const Latents d2 = (d - old_d) / ((rho_s - s.points[i - 2].rho()) / 2);
          x.add(to.alpha * (dt * dt / 2 + sum.linear * phi_t), d2);
        }
        old_d = std::move(d);
      }
      if (o.s_noise > 0) {
        const double up = std::sqrt(std::max(0.0, rho_t * rho_t - rho_s * rho_s * r * r));
        x.add(to.alpha * up * o.s_noise, draw_noise(o, at.sigma, to.sigma));
      }
    }
    old = x0;
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace mezzo::sampling
