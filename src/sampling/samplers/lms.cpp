// LMS: linear multistep (Adams-Bashforth) over the sigmas, with exact integrals; k-diffusion's
// form.
#include <algorithm>

#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {

Latents sample_lms(const Denoiser& denoise, Latents x, const Schedule& s, const SamplerOptions& o) {
  const auto order = static_cast<std::size_t>(o.order.value_or(4));
  History slopes(order);
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Latents x0 = denoise(x, s.points[i]);
    slopes.push(derivative(x, x0, s.points[i].sigma));
    std::vector<double> nodes;
    for (std::size_t k = 0; k < std::min(i + 1, order); ++k) nodes.push_back(s.points[i - k].sigma);
    const auto c = lagrange_integrals(nodes, s.points[i].sigma, s.points[i + 1].sigma);
    if (s.space == Space::kFlow && s.points[i + 1].sigma == 0) {
      x = x0;  // ComfyUI's flow form
    } else {
      for (std::size_t k = 0; k < c.size(); ++k) x.add(c[k], slopes[k]);
    }
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace mezzo::sampling
