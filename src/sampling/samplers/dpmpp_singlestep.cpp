// DPM-Solver++ (single step) and its stochastic relatives: Lu et al. 2022 (arXiv:2211.01095); the
// ancestral and the SDE form are k-diffusion's. CFG++: Chung et al. 2024 (arXiv:2406.08070).
#include <algorithm>
#include <cmath>

#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

/// Adds the terms above the first order of a step whose calls were at lambda[0] (newest) to
/// lambda[order - 1] (the start).
void add_differences(Latents& x, const History& x0s, const std::vector<double>& lambda, double h,
                     const SamplerOptions& o, double alpha) {
  const std::size_t order = lambda.size();
  if (order < 2) return;
  const double he = h * (1 + o.eta.value_or(0));
  const double phi2 = std::expm1(-he) / he + 1;
  const bool heun = o.solver == SolverType::kHeun;
  const double start = lambda[order - 1];
  const double r0 = (lambda[0] - start) / h;
  const Latents d11 = (x0s[0] - x0s[order - 1]) / r0;
  if (order == 2) {
    x.add(alpha * (heun ? phi2 : -0.5 * std::expm1(-he)), d11);
    return;
  }
  if (!heun) {
    x.add(alpha * phi2, d11);
    return;
  }
  const double r1 = (lambda[1] - start) / h;
  const Latents d10 = (x0s[1] - x0s[2]) / r1;
  const Latents d1 = (r0 * d10 - r1 * d11) / (r0 - r1);
  const Latents d2 = 2 * (d11 - d10) / (r0 - r1);
  x.add(alpha * phi2, d1).add(-alpha * (phi2 / he - 0.5), d2);
}

}  // namespace

std::vector<int> singlestep_orders(std::size_t calls, int order, bool lower_order_final,
                                   bool ends_at_zero) {
  std::vector<int> orders;
  for (std::size_t i = 0; i < calls; ++i)
    orders.push_back(static_cast<int>(i % static_cast<std::size_t>(order)) + 1);
  // The last full step gives way to a first-order step at the end.
  if (lower_order_final && order == 3 && calls % 3 == 0 && calls > 0) {
    orders[calls - 2] = 2;
    orders[calls - 1] = 1;
  }
  if ((lower_order_final || ends_at_zero) && calls > 0) {
    const std::size_t rest = calls % static_cast<std::size_t>(order);
    if (rest == 0 || rest == 1 || ends_at_zero) orders[calls - 1] = 1;
  }
  return orders;
}

Latents sample_dpmpp_singlestep(const Denoiser& denoise, Latents x, const Schedule& original,
                                const SamplerOptions& o) {
  const Schedule s = original.with_finite_lambda();
  const double eta = o.eta.value_or(0);
  const std::vector<int> orders =
      o.step_orders.empty()
          ? singlestep_orders(s.skipped() + s.steps(), o.order.value_or(2), true, true)
          : o.step_orders;
  History x0s(3);
  Latents base;
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Latents x0 = denoise(x, s.points[i]);
    x0s.push(x0);
    const auto wanted = static_cast<std::size_t>(orders[s.skipped() + i]);
    const std::size_t order = std::min(wanted, x0s.size());
    if (order == 1) base = x;
    const Point &from = s.points[i + 1 - order], &to = s.points[i + 1];
    if (to.sigma == 0) {
      x = to.alpha * x0;
    } else {
      const double h = to.lambda() - from.lambda();
      const double keep = eta > 0 ? std::exp(-eta * h) : 1;
      x = (to.sigma / from.sigma * keep * base)
              .add(-to.alpha * std::expm1(-h * (1 + eta)), x0s[order - 1]);
      std::vector<double> lambda;
      for (std::size_t k = 0; k < order; ++k) lambda.push_back(s.points[i - k].lambda());
      add_differences(x, x0s, lambda, h, o, to.alpha);
      if (eta > 0) {
        const double up = to.sigma * std::sqrt(-std::expm1(-2 * h * eta));
        x.add(up * o.s_noise, draw_noise(o, from.sigma, to.sigma));
      }
    }
    finish_step(o, s, i, x0, x);
  }
  return x;
}

namespace {

/// One second-order step with a call in the middle, then noise. `shift` is added to the state
/// before each of the two moves: what CFG++ takes from the call before it.
template <class Shift>
Latents two_stage_ancestral(const Denoiser& denoise, Latents x, const Schedule& s,
                            const SamplerOptions& o, Shift shift) {
  constexpr double kFlowStart = 0.9999;  // the middle where the start has no finite lambda
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    const AncestralStep step = ancestral_step(s.space, at, to, o.eta.value_or(1));
    if (step.down.sigma == 0) {
      x = step.down.alpha * x0;
    } else {
      const bool start = s.space == Space::kFlow && at.sigma >= 1;
      const Point middle =
          start ? s.at_sigma(kFlowStart) : s.at_lambda((at.lambda() + step.down.lambda()) / 2);
      const Latents x0_middle = denoise(transfer(shift(x, x0), x0, at, middle), middle);
      x = transfer(shift(x, x0), x0_middle, at, step.down);
    }
    add_step_noise(x, step, at.sigma, to.sigma, o);
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace

Latents sample_dpmpp_2s_ancestral(const Denoiser& denoise, Latents x, const Schedule& s,
                                  const SamplerOptions& o) {
  return two_stage_ancestral(denoise, std::move(x), s, o,
                             [](const Latents& state, const Latents&) { return state; });
}

Latents sample_dpmpp_2s_ancestral_cfg_pp(const Denoiser& denoise, Latents x, const Schedule& s,
                                         const SamplerOptions& o) {
  return two_stage_ancestral(
      denoise, std::move(x), s, o,
      [&](const Latents& state, const Latents& x0) { return state + x0 - o.unconditional_x0(); });
}

Latents sample_dpmpp_sde(const Denoiser& denoise, Latents x, const Schedule& original,
                         const SamplerOptions& o) {
  const Schedule s = original.with_finite_lambda();
  const double eta = o.eta.value_or(1), r = o.midpoint;
  const double weight = 1 / (2 * r);
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    if (to.sigma == 0) {
      x = to.alpha * x0;
    } else {
      const Point middle = s.at_lambda(at.lambda() + r * (to.lambda() - at.lambda()));
      // In lambda, so that flow models take the same step as variance-preserving ones.
      const auto down = [&](const Point& p) {
        return ancestral_step(Space::kVariancePreserving, at, p, eta);
      };
      Latents x2 = transfer(x, x0, at, down(middle).down);
      add_step_noise(x2, down(middle), at.sigma, middle.sigma, o);
      const Latents mixed = ((1 - weight) * x0).add(weight, denoise(x2, middle));
      x = transfer(x, mixed, at, down(to).down);
      add_step_noise(x, down(to), at.sigma, to.sigma, o);
    }
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace mezzo::sampling
