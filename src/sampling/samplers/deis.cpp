// DEIS: Zhang & Chen 2022 (arXiv:2204.13902): the slope extrapolated by a polynomial, in log(rho)
// (diffusers' "logrho") or in the time of a continuous variance-preserving process (tAB-DEIS,
// diff-sampler's "tab").
#include <algorithm>
#include <cmath>

#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

/// Integral of the polynomial in log(rho) that is 1 at nodes[j] and 0 at the other nodes, over rho
/// from a to b.
double log_lagrange_integral(const std::vector<double>& nodes, std::size_t j, double a, double b) {
  // Polynomial coefficients in u = log(rho), lowest first.
  std::vector<double> poly{1};
  const double uj = std::log(nodes[j]);
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    if (k == j) continue;
    const double uk = std::log(nodes[k]);
    std::vector<double> next(poly.size() + 1);
    for (std::size_t p = 0; p < poly.size(); ++p) {
      next[p + 1] += poly[p] / (uj - uk);
      next[p] -= poly[p] * uk / (uj - uk);
    }
    poly = std::move(next);
  }
  // Integral of u^p d(rho) = rho u^p - p * integral of u^(p-1) d(rho).
  const auto antiderivative = [&](double rho) {
    const double u = std::log(rho);
    double sum = 0, moment = 0;
    for (std::size_t p = 0; p < poly.size(); ++p) {
      const auto power = static_cast<double>(p);
      moment = rho * std::pow(u, power) - power * moment;
      sum += poly[p] * moment;
    }
    return sum;
  };
  return antiderivative(b) - antiderivative(a);
}

}  // namespace

Latents sample_deis_logrho(const Denoiser& denoise, Latents x, const Schedule& s,
                           const SamplerOptions& o) {
  const auto highest = static_cast<std::size_t>(o.order.value_or(2));
  History noises(highest);
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    noises.push(to_epsilon(x0, x, at));
    const auto order =
        static_cast<std::size_t>(order_of_step(o, s, i, static_cast<int>(highest), noises.size()));
    if (order == 1) {
      x = transfer_noise(x, noises[0], at, to);
    } else {
      std::vector<double> rho;
      for (std::size_t k = 0; k < order; ++k) rho.push_back(s.points[i - k].rho());
      x = to.alpha / at.alpha * std::move(x);
      for (std::size_t k = 0; k < order; ++k)
        x.add(to.alpha * log_lagrange_integral(rho, k, at.rho(), to.rho()), noises[k]);
    }
    finish_step(o, s, i, x0, x);
  }
  return x;
}

namespace {

/// Time of the continuous process with a linear beta that has sigma 0.002 at t = 0.001 and 80 at t
/// = 1.
class ContinuousTime {
 public:
  ContinuousTime() {
    constexpr double kSigmaMin = 0.002, kSigmaMax = 80, kTimeMin = 1e-3;
    const double low = std::log(kSigmaMin * kSigmaMin + 1);
    const double high = std::log(kSigmaMax * kSigmaMax + 1);
    slope_ = 2 * (low / kTimeMin - high) / (kTimeMin - 1);
    start_ = high - 0.5 * slope_;
  }
  double of_sigma(double sigma) const {
    const double root = std::sqrt(start_ * start_ + 2 * slope_ * std::log(sigma * sigma + 1));
    return (root - start_) / slope_;
  }
  /// -(d log alpha / dt) / (2 sqrt(alpha (1 - alpha))) with the squared alpha of the process at t.
  double weight(double t) const {
    const double alpha = std::exp(-0.5 * t * t * slope_ - t * start_);
    return 0.5 * (t * slope_ + start_) / std::sqrt(alpha * (1 - alpha));
  }

 private:
  double slope_, start_;
};

/// Integrals of weight * Lagrange basis by the sum of 10000 evenly spaced values, as the reference
/// does it.
std::vector<double> tab_coefficients(const ContinuousTime& time, const std::vector<double>& nodes,
                                     double t, double t_next) {
  constexpr int kPoints = 10000;
  std::vector<double> c(nodes.size());
  for (int q = 0; q < kPoints; ++q) {
    const double at = t + (t_next - t) * q / (kPoints - 1);
    const double weight = time.weight(at) * (t_next - t) / kPoints;
    for (std::size_t j = 0; j < nodes.size(); ++j) {
      double basis = 1;
      for (std::size_t k = 0; k < nodes.size(); ++k)
        if (k != j) basis *= (at - nodes[k]) / (nodes[j] - nodes[k]);
      c[j] += weight * basis;
    }
  }
  return c;
}

}  // namespace

Latents sample_deis(const Denoiser& denoise, Latents x, const Schedule& s,
                    const SamplerOptions& o) {
  const auto highest = static_cast<std::size_t>(o.order.value_or(3));
  const ContinuousTime time;
  History slopes(highest);
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    slopes.push(derivative(x, x0, at.sigma));
    const std::size_t order = std::min(highest, i + 1);
    if (order == 1 || to.sigma <= 0) {
      x.add(to.sigma - at.sigma, slopes[0]);
    } else {
      std::vector<double> nodes;
      for (std::size_t k = 0; k < order; ++k) nodes.push_back(time.of_sigma(s.points[i - k].sigma));
      const auto c = tab_coefficients(time, nodes, nodes[0], time.of_sigma(to.sigma));
      for (std::size_t k = 0; k < order; ++k) x.add(c[k], slopes[k]);
    }
    finish_step(o, s, i, x0, x);
  }
  return x;
}

}  // namespace mezzo::sampling
