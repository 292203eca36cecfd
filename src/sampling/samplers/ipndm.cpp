// iPNDM: Zhang & Chen 2022 (arXiv:2204.13902): PNDM's multistep without warm-up. The variable-step
// form (ipndm_v) and the k-diffusion form follow diff-sampler and ComfyUI, the form over noise
// follows diffusers' IPNDMScheduler.
#include <algorithm>
#include <array>

#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

constexpr std::array<std::array<double, 4>, 4> kEvenSteps = {
    {{1, 0, 0, 0},
     {3. / 2, -1. / 2, 0, 0},
     {23. / 12, -16. / 12, 5. / 12, 0},
     {55. / 24, -59. / 24, 37. / 24, -9. / 24}}};

using Weights = std::array<double, 4>;

Latents weighted(const Weights& w, const History& slopes, std::size_t order) {
  Latents d = w[0] * slopes[0];
  for (std::size_t k = 1; k < order; ++k) d.add(w[k], slopes[k]);
  return d;
}

/// Weights of the slopes for uneven steps, newest first: the four-step formula of diff-sampler.
Weights uneven_steps(const std::vector<Point>& p, std::size_t i, std::size_t order) {
  const auto step = [&](std::size_t age) { return p[i - age + 1].sigma - p[i - age].sigma; };
  if (order == 1) return {1, 0, 0, 0};
  const double h = step(0), h1 = step(1);
  Weights w{(2 + h / h1) / 2, -(h / h1) / 2, 0, 0};
  if (order == 2) return w;
  const double h2 = step(2);
  const double third = h / (3 * (h + h1));
  const double a = (1 - third * (h * (h + h1)) / (h1 * (h1 + h2))) / 2;
  w[0] += a;
  w[1] -= (1 + h1 / h2) * a;
  w[2] += a * h1 / h2;
  if (order == 3) return w;
  const double h3 = step(3);
  const double b = ((1 - third) / 2 + (1 - h / (2 * (h + h1))) * h / (6 * (h + h1 + h2))) *
                   (h * (h + h1) * (h + h1 + h2)) / (h1 * (h1 + h2) * (h1 + h2 + h3));
  const double c = h1 * (h1 + h2) / (h2 * (h2 + h3));
  w[0] += b;
  w[1] -= (1 + h1 / h2 + c) * b;
  w[2] += (h1 / h2 + c * (1 + h2 / h3)) * b;
  w[3] -= b * c * h1 / h2;
  return w;
}

template <class WeightsOf>
Latents multistep(const Denoiser& denoise, Latents x, const Schedule& s, const SamplerOptions& o,
                  WeightsOf weights) {
  const auto highest = static_cast<std::size_t>(std::clamp(o.order.value_or(4), 1, 4));
  History slopes(highest);
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    slopes.push(derivative(x, x0, at.sigma));
    if (to.sigma == 0) {
      x = x0;
    } else {
      const std::size_t order = std::min(highest, i + 1);
      x.add(to.sigma - at.sigma, weighted(weights(i, order), slopes, order));
    }
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace

Latents sample_ipndm(const Denoiser& denoise, Latents x, const Schedule& s,
                     const SamplerOptions& o) {
  return multistep(denoise, std::move(x), s, o,
                   [](std::size_t, std::size_t order) { return kEvenSteps[order - 1]; });
}

Latents sample_ipndm_v(const Denoiser& denoise, Latents x, const Schedule& s,
                       const SamplerOptions& o) {
  return multistep(denoise, std::move(x), s, o, [&](std::size_t i, std::size_t order) {
    return uneven_steps(s.points, i, order);
  });
}

Latents sample_ipndm_noise(const Denoiser& denoise, Latents x, const Schedule& s,
                           const SamplerOptions& o) {
  History noises(4);
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Latents x0 = denoise(x, s.points[i]);
    noises.push(to_epsilon(x0, x, s.points[i]));
    const Latents epsilon = weighted(kEvenSteps[noises.size() - 1], noises, noises.size());
    x = transfer_noise(x, epsilon, s.points[i], s.points[i + 1]);
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace mezzo::sampling
