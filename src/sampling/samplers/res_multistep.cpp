// RES multistep: Zhang et al. 2023 (arXiv:2308.02157), second order, in ComfyUI's form; ancestral
// and CFG++ variants.
#include <cmath>

#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

double finite(double v) { return std::isnan(v) ? 0 : v; }

Latents res_multistep(const Denoiser& denoise, Latents x, const Schedule& s,
                      const SamplerOptions& o, double eta, bool cfg_pp) {
  Latents old;
  Point old_down;
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    Latents slope_x0 = cfg_pp ? o.unconditional_x0() : x0;
    const AncestralStep step = ancestral_step(s.space, at, to, eta);
    if (i == 0 || step.down.sigma == 0) {
      x = Latents(x0).add(step.down.sigma / at.sigma, x - slope_x0);
    } else {
      const double h = step.down.lambda() - at.lambda();
      const double c2 = (s.points[i - 1].lambda() - old_down.lambda()) / h;
      const double phi1 = std::expm1(-h) / -h, phi2 = (phi1 - 1) / -h;
      const double b1 = finite(phi1 - phi2 / c2), b2 = finite(phi2 / c2);
      if (cfg_pp) x += x0 - slope_x0;
      x = (std::exp(-h) * std::move(x)).add(h * b1, slope_x0).add(h * b2, old);
    }
    add_step_noise(x, step, at.sigma, to.sigma, o);
    old = std::move(slope_x0);
    old_down = step.down;
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace

Latents sample_res_multistep(const Denoiser& denoise, Latents x, const Schedule& s,
                             const SamplerOptions& o) {
  return res_multistep(denoise, std::move(x), s, o, 0, false);
}

Latents sample_res_multistep_ancestral(const Denoiser& denoise, Latents x, const Schedule& s,
                                       const SamplerOptions& o) {
  return res_multistep(denoise, std::move(x), s, o, o.eta.value_or(1), false);
}

Latents sample_res_multistep_cfg_pp(const Denoiser& denoise, Latents x, const Schedule& s,
                                    const SamplerOptions& o) {
  return res_multistep(denoise, std::move(x), s, o, 0, true);
}

Latents sample_res_multistep_ancestral_cfg_pp(const Denoiser& denoise, Latents x, const Schedule& s,
                                              const SamplerOptions& o) {
  return res_multistep(denoise, std::move(x), s, o, o.eta.value_or(1), true);
}

}  // namespace mezzo::sampling
