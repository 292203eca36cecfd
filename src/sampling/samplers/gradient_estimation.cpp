// Gradient estimation: Permenter & Yuan 2024 (openreview o2ND9v0CeK): Euler with the slope pushed
// away from the one before it.
#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

Latents gradient_estimation(const Denoiser& denoise, Latents x, const Schedule& s,
                            const SamplerOptions& o, bool cfg_pp) {
  constexpr double kGamma = 2;
  Latents old;
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    Latents d = derivative(x, cfg_pp ? o.unconditional_x0() : x0, at.sigma);
    if (to.sigma == 0) {
      x = x0;
    } else {
      const double dt = to.sigma - at.sigma;
      x = cfg_pp ? Latents(x0).add(to.sigma, d) : std::move(x).add(dt, d);
      if (i > 0) x.add((kGamma - 1) * dt, d - old);
    }
    old = std::move(d);
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace

Latents sample_gradient_estimation(const Denoiser& denoise, Latents x, const Schedule& s,
                                   const SamplerOptions& o) {
  return gradient_estimation(denoise, std::move(x), s, o, false);
}

Latents sample_gradient_estimation_cfg_pp(const Denoiser& denoise, Latents x, const Schedule& s,
                                          const SamplerOptions& o) {
  return gradient_estimation(denoise, std::move(x), s, o, true);
}

}  // namespace mezzo::sampling
