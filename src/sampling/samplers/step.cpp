#include "sampling/samplers/step.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"

namespace mezzo::sampling {

void finish_step(const SamplerOptions& o, const Schedule& s, std::size_t i, const Latents& x0,
                 Latents& x) {
  if (o.after_step) o.after_step({i, s.steps(), s.points[i], s.points[i + 1], x0}, x);
  if (o.stop.stop_requested()) fail<Cancelled>("cancelled after step {} of {}", i + 1, s.steps());
}

Latents transfer(const Latents& x, const Latents& x0, const Point& from, const Point& to) {
  const double ratio = to.sigma / from.sigma;
  return (ratio * x).add(to.alpha - from.alpha * ratio, x0);
}

Latents transfer_noise(const Latents& x, const Latents& epsilon, const Point& from,
                       const Point& to) {
  const double ratio = to.alpha / std::max(from.alpha, 1e-8);
  return (ratio * x).add(to.sigma - from.sigma * ratio, epsilon);
}

Latents derivative(const Latents& x, const Latents& x0, double sigma) { return (x - x0) / sigma; }

AncestralStep ancestral_step(Space space, const Point& from, const Point& to, double eta) {
  if (to.sigma == 0 || eta == 0) return {to};
  if (space == Space::kFlow) {
    const double sigma = to.sigma * (1 + (to.sigma / from.sigma - 1) * eta);
    const Point down = Schedule::point(space, sigma);
    const double rescale = to.alpha / down.alpha;
    const double kept = rescale * sigma;
    return {down, rescale, std::sqrt(std::max(0.0, to.sigma * to.sigma - kept * kept))};
  }
  // Variance of the posterior q(x_to | x_from, x0), DDPM eq. 7 in this notation.
  const double r = from.alpha / to.alpha;
  const double added = from.sigma * from.sigma - r * r * to.sigma * to.sigma;
  const double deviation = to.sigma / from.sigma * std::sqrt(std::max(0.0, added));
  const double up = std::min(to.sigma, eta * deviation);
  const double down = std::sqrt(to.sigma * to.sigma - up * up);
  return {{to.alpha, down}, 1, up};
}

void add_step_noise(Latents& x, const AncestralStep& step, double sigma_from, double sigma_to,
                    const SamplerOptions& o) {
  if (step.rescale != 1) x *= step.rescale;
  if (step.up > 0) x.add(step.up * o.s_noise, draw_noise(o, sigma_from, sigma_to));
}

Churned churn(Latents& x, const Schedule& s, std::size_t i, const SamplerOptions& o) {
  const Churn& c = o.churn;
  const Point& p = s.points[i];
  if (c.s_churn <= 0) return {p};
  const bool inside = c.s_tmin <= p.sigma && p.sigma <= c.s_tmax;
  const double most = std::sqrt(2.0) - 1;
  const double gamma = inside ? std::min(c.s_churn / static_cast<double>(s.steps()), most) : 0;
  // k-diffusion draws for every step; diffusers only where the noise is used.
  if (gamma == 0 && c.after_prediction) return {p};
  const Latents noise = draw_noise(o, p.sigma, p.sigma);
  if (gamma == 0) return {p};
  const double sigma = p.sigma * (gamma + 1);
  x.add(o.s_noise * std::sqrt(sigma * sigma - p.sigma * p.sigma), noise);
  return {s.at_sigma(sigma), gamma};
}

Latents draw_noise(const SamplerOptions& o, double sigma_from, double sigma_to) {
  check(static_cast<bool>(o.noise), "a stochastic sampler was given no noise source");
  return o.noise(sigma_from, sigma_to);
}

int order_of_step(const SamplerOptions& o, const Schedule& s, std::size_t i, int highest,
                  std::size_t predictions) {
  constexpr std::size_t kShortRun = 15;
  const std::size_t left = s.steps() - i;
  const bool lower = o.lower_order_final && std::max(s.full_steps, s.steps()) < kShortRun;
  int order = std::min(highest, static_cast<int>(predictions));
  if (left == 1 && (lower || o.euler_at_final)) order = 1;
  if (left == 2 && lower) order = std::min(order, 2);
  return order;
}

void History::push(Latents v) {
  if (limit_ > 0 && values_.size() == limit_) values_.erase(values_.begin());
  values_.push_back(std::move(v));
}

std::vector<double> lagrange_integrals(const std::vector<double>& nodes, double a, double b) {
  // Gauss-Legendre with four points: exact up to degree 7.
  constexpr std::array<double, 4> kAbscissa = {-0.8611363115940526, -0.3399810435848563,
                                               0.3399810435848563, 0.8611363115940526};
  constexpr std::array<double, 4> kWeight = {0.3478548451374538, 0.6521451548625461,
                                             0.6521451548625461, 0.3478548451374538};
  std::vector<double> c(nodes.size());
  for (std::size_t q = 0; q < kAbscissa.size(); ++q) {
    const double at = (a + b) / 2 + (b - a) / 2 * kAbscissa[q];
    for (std::size_t j = 0; j < nodes.size(); ++j) {
      double basis = 1;
      for (std::size_t k = 0; k < nodes.size(); ++k)
        if (k != j) basis *= (at - nodes[k]) / (nodes[j] - nodes[k]);
      c[j] += kWeight[q] * basis * (b - a) / 2;
    }
  }
  return c;
}

std::vector<double> solve(std::vector<std::vector<double>> a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t col = 0; col < n; ++col) {
    std::size_t pivot = col;
    for (std::size_t row = col + 1; row < n; ++row)
      if (std::abs(a[row][col]) > std::abs(a[pivot][col])) pivot = row;
    std::swap(a[col], a[pivot]);
    std::swap(b[col], b[pivot]);
    for (std::size_t row = col + 1; row < n; ++row) {
      const double factor = a[row][col] / a[col][col];
      for (std::size_t k = col; k < n; ++k) a[row][k] -= factor * a[col][k];
      b[row] -= factor * b[col];
    }
  }
  for (std::size_t row = n; row-- > 0;) {
    for (std::size_t k = row + 1; k < n; ++k) b[row] -= a[row][k] * b[k];
    b[row] /= a[row][row];
  }
  return b;
}

}  // namespace mezzo::sampling
