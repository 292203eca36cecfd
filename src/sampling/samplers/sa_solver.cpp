// SA-Solver: Xue et al. 2023 (arXiv:2309.05019): stochastic Adams predictor and corrector over
// predictions of x0.
#include <algorithm>
#include <cmath>

#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

/// Integrals from s to t of (1 + tau^2) e^((1 + tau^2)(lambda - t)) lambda^p for p below n, by
/// parts.
std::vector<double> exponential_moments(double s, double t, double tau, std::size_t n) {
  const double m = 1 + tau * tau, decay = std::exp(-m * (t - s));
  std::vector<double> moments;
  for (std::size_t p = 0; p < n; ++p) {
    const auto power = static_cast<double>(p);
    double v = std::pow(t, power) - std::pow(s, power) * decay;
    if (p > 0) v -= power / m * moments.back();
    moments.push_back(v);
  }
  return moments;
}

struct AdamsStep {
  double from, to;  // lambda
  double tau;
  bool corrector;
};

/// Weights of the predictions at these lambdas (eqs. 15 and 18), newest first.
std::vector<double> adams_weights(const std::vector<double>& lambdas, const AdamsStep& a,
                                  bool simple_second_order) {
  const std::size_t n = lambdas.size();
  const double m = 1 + a.tau * a.tau, h = a.to - a.from;
  if (n == 2 && simple_second_order) {  // Appendix D
    const double total = -std::expm1(-h * m);
    if (a.corrector) return {0.5 * m * h, total - 0.5 * m * h};
    const double older = 0.5 * m * h * h / (lambdas[1] - a.from);
    return {total - older, older};
  }
  std::vector<std::vector<double>> powers;
  for (std::size_t p = 0; p < n; ++p) {
    std::vector<double> row;
    for (double lambda : lambdas) row.push_back(std::pow(lambda, static_cast<double>(p)));
    powers.push_back(std::move(row));
  }
  return solve(std::move(powers), exponential_moments(a.from, a.to, a.tau, n));
}

struct Solver {
  const Schedule& s;
  const SamplerOptions& o;
  std::vector<Latents> predictions;  // oldest first

  /// From points[i] to points[i + 1] with the newest `order` of the predictions, the newest at
  /// points[newest].
  Latents step(const Latents& x, std::size_t i, std::size_t newest, std::size_t order,
               double tau) const {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const double h = to.lambda() - at.lambda();
    std::vector<double> lambdas;
    for (std::size_t k = 0; k < order; ++k) lambdas.push_back(s.points[newest - k].lambda());
    const auto w =
        adams_weights(lambdas, {at.lambda(), to.lambda(), tau, newest > i}, o.simple_second_order);
    Latents next = to.sigma / at.sigma * std::exp(-tau * tau * h) * x;
    for (std::size_t k = 0; k < order; ++k)
      next.add(to.alpha * w[k], predictions[predictions.size() - 1 - k]);
    return next;
  }
};

Latents sa_solver(const Denoiser& denoise, Latents x, const Schedule& original,
                  const SamplerOptions& o, bool pece) {
  const Schedule s = original.with_finite_lambda();
  // diffusers decides by the level that a step starts from, ComfyUI by the one it ends on.
  const auto tau_of = [&](const Point& from, const Point& p) {
    if (o.tau) return o.tau(from);
    return s.sigma_at_20_percent >= p.sigma && p.sigma >= s.sigma_at_80_percent ? 1.0 : 0.0;
  };
  const auto predictor = static_cast<std::size_t>(o.order.value_or(3));
  const auto corrector = static_cast<std::size_t>(o.corrector_order.value_or(4));
  const bool to_zero = s.points.back().sigma == 0;
  Solver solver{s, o, {}};
  Latents predicted = x, noise;
  double tau = 0;
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    Latents x0 = denoise(predicted, at);
    solver.predictions.push_back(x0);
    const std::size_t known = std::min(solver.predictions.size(), std::max(predictor, corrector));
    std::size_t p_order = std::min(predictor, known), c_order = std::min(corrector, known);
    if (i == 0 || (to.sigma == 0 && !pece)) c_order = 0;
    const std::size_t left = s.steps() - i;
    if (to_zero || o.lower_order_final) {
      p_order = std::min(p_order, to_zero ? left - 1 : left);
      c_order = std::min(c_order, to_zero ? left : left + 1);
    }
    if (c_order == 0) {
      x = predicted;
    } else {
      x = solver.step(x, i - 1, i, c_order, tau);
      if (noise.size() > 0) x += noise;
      if (pece) solver.predictions.back() = x0 = denoise(x, at);
    }
    noise = Latents();
    if (to.sigma == 0) {
      predicted = x0;
    } else {
      tau = tau_of(at, to);
      predicted = solver.step(x, i, i, p_order, tau);
      // diffusers draws for every step, used or not.
      if ((tau > 0 && o.s_noise > 0) || o.tau) {
        const double h = to.lambda() - at.lambda();
        const double up = to.sigma * std::sqrt(-std::expm1(-2 * tau * tau * h));
        noise = up * o.s_noise * draw_noise(o, at.sigma, to.sigma);
        predicted += noise;
      }
    }
    finish_step(o, s, i, x0, predicted);
  }
  return predicted;
}

}  // namespace

Latents sample_sa_solver(const Denoiser& denoise, Latents x, const Schedule& s,
                         const SamplerOptions& o) {
  return sa_solver(denoise, std::move(x), s, o, false);
}

Latents sample_sa_solver_pece(const Denoiser& denoise, Latents x, const Schedule& s,
                              const SamplerOptions& o) {
  return sa_solver(denoise, std::move(x), s, o, true);
}

}  // namespace mezzo::sampling
