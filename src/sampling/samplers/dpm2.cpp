// DPM2: k-diffusion's midpoint method inspired by DPM-Solver-2 (Lu et al. 2022, arXiv:2206.00927)
// and by Algorithm 2 of Karras et al. 2022 (arXiv:2206.00364).
#include <cmath>

#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

/// From `at` to `to` with the slope at the geometric middle of the sigmas. Returns x0 of the first
/// call.
Latents midpoint_step(const Denoiser& denoise, Latents& x, const Schedule& s, const Point& at,
                      const Point& to) {
  const Latents x0 = denoise(x, at);
  if (to.sigma == 0) {
    x = x0;
    return x0;
  }
  const Point middle = s.at_sigma(std::sqrt(at.sigma * to.sigma));
  const Latents x2 = x + (middle.sigma - at.sigma) * derivative(x, x0, at.sigma);
  x.add(to.sigma - at.sigma, derivative(x2, denoise(x2, middle), middle.sigma));
  return x0;
}

}  // namespace

Latents sample_dpm2(const Denoiser& denoise, Latents x, const Schedule& s,
                    const SamplerOptions& o) {
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point at = churn(x, s, i, o).at;
    const Latents x0 = midpoint_step(denoise, x, s, at, s.points[i + 1]);
    finish_step(o, s, i, x0, x);
  }
  return x;
}

Latents sample_dpm2_ancestral(const Denoiser& denoise, Latents x, const Schedule& s,
                              const SamplerOptions& o) {
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const AncestralStep step = ancestral_step(s.space, at, to, o.eta.value_or(1));
    const Latents x0 = midpoint_step(denoise, x, s, at, step.down);
    add_step_noise(x, step, at.sigma, to.sigma, o);
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace mezzo::sampling
