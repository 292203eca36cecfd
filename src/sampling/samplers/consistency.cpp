// LCM: Luo et al. 2023 (arXiv:2310.04378): jump to x0, add fresh noise, repeat.
// TCD: Zheng et al. 2024 (arXiv:2402.19159): jump part of the way without noise (the schedule's
// target), then to the next level with noise.
#include <algorithm>
#include <cmath>

#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {

Latents sample_lcm(const Denoiser& denoise, Latents x, const Schedule& s, const SamplerOptions& o) {
  constexpr double kSigmaData = 0.5;
  for (std::size_t i = 0; i < s.steps(); ++i) {
    Latents x0 = denoise(x, s.points[i]);
    if (o.clip_x0) x0 = clamp(std::move(x0), *o.clip_x0);
    Latents jump = x0;
    if (o.boundary_timestep_scaling > 0) {
      const double t = s.points[i].t * o.boundary_timestep_scaling;
      const double norm = t * t + kSigmaData * kSigmaData;
      jump = (t / std::sqrt(norm) * std::move(jump)).add(kSigmaData * kSigmaData / norm, x);
    }
    const Point& to = s.points[i + 1];
    x = to.alpha * std::move(jump);
    if (to.sigma > 0) x.add(to.sigma * o.s_noise, draw_noise(o, s.points[i].sigma, to.sigma));
    finish_step(o, s, i, x0, x);
  }
  return x;
}

Latents sample_tcd(const Denoiser& denoise, Latents x, const Schedule& s, const SamplerOptions& o) {
  const bool stochastic = o.eta.value_or(0.3) > 0;
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &middle = s.target(i), &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    x = transfer(x, x0, at, middle);
    if (stochastic && i + 1 < s.steps()) {
      const double ratio = to.alpha / middle.alpha;
      x *= ratio;
      x.add(std::sqrt(1 - ratio * ratio) * o.s_noise, draw_noise(o, at.sigma, to.sigma));
    }
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace mezzo::sampling
