// Euler: Karras et al. 2022 (arXiv:2206.00364), Algorithm 2 without the second-order correction.
// The ancestral form is k-diffusion's. CFG++: Chung et al. 2024 (arXiv:2406.08070).
#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {

Latents sample_euler(const Denoiser& denoise, Latents x, const Schedule& s,
                     const SamplerOptions& o) {
  for (std::size_t i = 0; i < s.steps(); ++i) {
    if (o.churn.after_prediction && o.churn.s_churn > 0) {
      const Latents output = to_output(o.prediction, denoise(x, s.points[i]), x, s.points[i]);
      const Point at = churn(x, s, i, o).at;
      const Latents x0 = to_x0(o.prediction, output, x, at);
      x = transfer(x, x0, at, s.target(i));
      finish_step(o, s, i, x0, x);
      continue;
    }
    const Point at = churn(x, s, i, o).at;
    const Latents x0 = denoise(x, at);
    x = transfer(x, x0, at, s.target(i));
    finish_step(o, s, i, x0, x);
  }
  return x;
}

Latents sample_euler_ancestral(const Denoiser& denoise, Latents x, const Schedule& s,
                               const SamplerOptions& o) {
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Latents x0 = denoise(x, s.points[i]);
    const AncestralStep step =
        ancestral_step(s.space, s.points[i], s.points[i + 1], o.eta.value_or(1));
    x = transfer(x, x0, s.points[i], step.down);
    add_step_noise(x, step, s.points[i].sigma, s.points[i + 1].sigma, o);
    finish_step(o, s, i, x0, x);
  }
  return x;
}

Latents sample_euler_ancestral_cfg_pp(const Denoiser& denoise, Latents x, const Schedule& s,
                                      const SamplerOptions& o) {
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &from = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, from);
    const Latents epsilon = to_epsilon(o.unconditional_x0(), x, from);
    const AncestralStep step = ancestral_step(s.space, from, to, o.eta.value_or(1));
    x = (step.down.alpha * x0).add(step.down.sigma, epsilon);
    add_step_noise(x, step, from.sigma, to.sigma, o);
    finish_step(o, s, i, x0, x);
  }
  return x;
}

Latents sample_euler_cfg_pp(const Denoiser& denoise, Latents x, const Schedule& s,
                            const SamplerOptions& o) {
  SamplerOptions deterministic = o;
  deterministic.eta = 0;
  return sample_euler_ancestral_cfg_pp(denoise, std::move(x), s, deterministic);
}

}  // namespace mezzo::sampling
