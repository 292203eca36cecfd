// DPM-Solver++ (multistep, ODE and SDE): Lu et al. 2022 (arXiv:2211.01095). One update serves
// diffusers' variance-preserving form and k-diffusion's variance-exploding form. The third-order
// SDE is k-diffusion's. CFG++: Chung et al. 2024 (arXiv:2406.08070).
#include <algorithm>
#include <cmath>

#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

struct Solver {
  int order;
  double eta;
  SolverType type;  // of the second-order term
};

/// Adds the terms above the first order: the differences of the predictions, newest first.
void add_corrections(Latents& x, const History& x0s, const std::vector<double>& lambda, double h,
                     int order, const Solver& solver, double alpha, double third_order_sign) {
  if (order < 2) return;
  const double he = h * (1 + solver.eta);
  const double phi2 = std::expm1(-he) / he + 1;
  const double r0 = (lambda[0] - lambda[1]) / h;
  Latents d1 = (x0s[0] - x0s[1]) / r0;
  if (order == 2) {
    const bool midpoint = solver.type != SolverType::kHeun;
    x.add(alpha * (midpoint ? -0.5 * std::expm1(-he) : phi2), d1);
    return;
  }
  const double r1 = (lambda[1] - lambda[2]) / h;
  const Latents d11 = (x0s[1] - x0s[2]) / r1;
  const Latents d2 = (d1 - d11) / (r0 + r1);
  d1.add(r0, d2);
  x.add(alpha * phi2, d1).add(-alpha * (phi2 / he - 0.5 * third_order_sign), d2);
}

Latents multistep(const Denoiser& denoise, Latents x, const Schedule& s, const SamplerOptions& o,
                  const Solver& solver) {
  History x0s(static_cast<std::size_t>(solver.order));
  const double third_order_sign = o.diffusers_third_order_sde && solver.eta > 0 ? -1 : 1;
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    x0s.push(x0);
    if (to.sigma == 0) {
      x = to.alpha * x0;
    } else if (to.sigma != at.sigma) {
      const double h = to.lambda() - at.lambda();
      const double keep = solver.eta > 0 ? std::exp(-solver.eta * h) : 1;
      x = (to.sigma / at.sigma * keep * std::move(x))
              .add(-to.alpha * std::expm1(-h * (1 + solver.eta)), x0);
      const int order = order_of_step(o, s, i, solver.order, x0s.size());
      std::vector<double> lambda;
      for (int k = 0; k < order; ++k)
        lambda.push_back(s.points[i - static_cast<std::size_t>(k)].lambda());
      add_corrections(x, x0s, lambda, h, order, solver, to.alpha, third_order_sign);
      if (solver.eta > 0) {
        const double up = to.sigma * std::sqrt(-std::expm1(-2 * h * solver.eta));
        x.add(up * o.s_noise, draw_noise(o, at.sigma, to.sigma));
      }
    }
    finish_step(o, s, i, x0, x);
  }
  return x;
}

SolverType type_or(const SamplerOptions& o, SolverType type) {
  return o.solver == SolverType::kDefault ? type : o.solver;
}

}  // namespace

Latents sample_dpmpp_2m(const Denoiser& denoise, Latents x, const Schedule& s,
                        const SamplerOptions& o) {
  if (o.predict_noise) return sample_dpm_multistep(denoise, std::move(x), s, o);
  return multistep(denoise, std::move(x), s, o,
                   {o.order.value_or(2), o.eta.value_or(0), type_or(o, SolverType::kMidpoint)});
}

Latents sample_dpmpp_2m_sde(const Denoiser& denoise, Latents x, const Schedule& s,
                            const SamplerOptions& o) {
  return multistep(denoise, std::move(x), s.with_finite_lambda(), o,
                   {o.order.value_or(2), o.eta.value_or(1), type_or(o, SolverType::kMidpoint)});
}

Latents sample_dpmpp_2m_sde_heun(const Denoiser& denoise, Latents x, const Schedule& s,
                                 const SamplerOptions& o) {
  return multistep(denoise, std::move(x), s.with_finite_lambda(), o,
                   {o.order.value_or(2), o.eta.value_or(1), SolverType::kHeun});
}

Latents sample_dpmpp_3m_sde(const Denoiser& denoise, Latents x, const Schedule& s,
                            const SamplerOptions& o) {
  return multistep(denoise, std::move(x), s.with_finite_lambda(), o,
                   {o.order.value_or(3), o.eta.value_or(1), type_or(o, SolverType::kHeun)});
}

Latents sample_dpmpp_2m_cfg_pp(const Denoiser& denoise, Latents x, const Schedule& s,
                               const SamplerOptions& o) {
  Latents previous;
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    Latents unconditional = o.unconditional_x0();
    const double ratio = to.sigma / at.sigma;  // exp(-h)
    Latents next = (ratio * (x - unconditional)) + x0;
    if (i > 0 && to.sigma > 0) {
      const double h = to.lambda() - at.lambda();
      const double r = (at.lambda() - s.points[i - 1].lambda()) / h;
      next.add(-std::expm1(-h) / (2 * r), x0 - previous);
    }
    x = std::move(next);
    previous = std::move(unconditional);
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace mezzo::sampling
