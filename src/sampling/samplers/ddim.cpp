// DDIM: Song et al. 2020 (arXiv:2010.02502). DDPM: Ho et al. 2020 (arXiv:2006.11239).
// CFG++: Chung et al. 2024 (arXiv:2406.08070).
#include <cmath>

#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

Latents limited(Latents x0, const SamplerOptions& o) {
  return o.clip_x0 ? clamp(std::move(x0), *o.clip_x0) : x0;
}

}  // namespace

Latents sample_ddim(const Denoiser& denoise, Latents x, const Schedule& s,
                    const SamplerOptions& o) {
  const double eta = o.eta.value_or(0);
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &from = s.source(i), &to = s.target(i);
    const Latents x0 = denoise(x, s.points[i]);
    const AncestralStep step = ancestral_step(s.space, from, to, eta);
    if (o.clip_x0) {
      // The direction pointing to x_t keeps the unlimited prediction, as in the original code.
      const Latents epsilon = to_epsilon(x0, x, from);
      x = (step.down.alpha * limited(x0, o)).add(step.down.sigma, epsilon);
    } else {
      x = transfer(x, x0, from, step.down);
    }
    add_step_noise(x, step, from.sigma, to.sigma, o);
    finish_step(o, s, i, x0, x);
  }
  return x;
}

Latents sample_ddim_cfg_pp(const Denoiser& denoise, Latents x, const Schedule& s,
                           const SamplerOptions& o) {
  const double eta = o.eta.value_or(0);
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &from = s.source(i), &to = s.target(i);
    const Latents x0 = denoise(x, s.points[i]);
    const Latents epsilon = to_epsilon(o.unconditional_x0(), x, from);
    const AncestralStep step = ancestral_step(s.space, from, to, eta);
    x = (step.down.alpha * x0).add(step.down.sigma, epsilon);
    add_step_noise(x, step, from.sigma, to.sigma, o);
    finish_step(o, s, i, x0, x);
  }
  return x;
}

Latents sample_ddpm(const Denoiser& denoise, Latents x, const Schedule& s,
                    const SamplerOptions& o) {
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &from = s.source(i), &to = s.target(i);
    const Latents x0 = limited(denoise(x, s.points[i]), o);
    AncestralStep step = ancestral_step(s.space, from, to, 1);
    x = transfer(x, x0, from, step.down);
    if (o.large_variance && s.points[i].t != 0) {
      // Upper bound of the reverse variance, beta_t, where the step's is the lower bound (DDPM
      // section 3.2).
      const double r = from.alpha / to.alpha;
      step.up = std::sqrt(from.sigma * from.sigma - r * r * to.sigma * to.sigma);
    }
    add_step_noise(x, step, from.sigma, to.sigma, o);
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace mezzo::sampling
