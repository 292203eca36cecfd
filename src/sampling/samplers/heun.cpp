// Heun: Karras et al. 2022 (arXiv:2206.00364), Algorithm 2. Heun++ 2: weights by sigma over three
// slopes, after sd-webui-samplers-scheduler. Restart: Xu et al. 2023 (arXiv:2306.14878) with
// A1111's choice of intervals.
#include <algorithm>
#include <cmath>

#include "sampling/even.h"
#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

/// One Heun step from `at`, with the second slope only where the end is not 0. Returns x0 of the
/// first slope.
Latents heun_step(const Denoiser& denoise, Latents& x, const Point& at, const Point& to) {
  const Latents x0 = denoise(x, at);
  Latents d = derivative(x, x0, at.sigma);
  const double dt = to.sigma - at.sigma;
  if (to.sigma > 0) {
    const Latents x2 = x + dt * d;
    d = 0.5 * (d + derivative(x2, denoise(x2, to), to.sigma));
  }
  x.add(dt, d);
  return x0;
}

}  // namespace

Latents sample_heun(const Denoiser& denoise, Latents x, const Schedule& s,
                    const SamplerOptions& o) {
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point at = churn(x, s, i, o).at;
    const Latents x0 = heun_step(denoise, x, at, s.points[i + 1]);
    finish_step(o, s, i, x0, x);
  }
  return x;
}

Latents sample_heunpp2(const Denoiser& denoise, Latents x, const Schedule& s,
                       const SamplerOptions& o) {
  const double first = s.points[0].sigma;
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &p0 = s.points[i], &p1 = s.points[i + 1];
    const Latents x0 = denoise(x, p0);
    Latents d = derivative(x, x0, p0.sigma);
    const double dt = p1.sigma - p0.sigma;
    const std::size_t left = s.steps() - i;
    if (left > 1) {
      const Latents x2 = x + dt * d;
      const Latents d2 = derivative(x2, denoise(x2, p1), p1.sigma);
      if (left == 2) {
        const double w2 = p1.sigma / (2 * first);
        d = ((1 - w2) * std::move(d)).add(w2, d2);
      } else {
        const Point& p2 = s.points[i + 2];
        const Latents x3 = x2 + (p2.sigma - p1.sigma) * d2;
        const Latents d3 = derivative(x3, denoise(x3, p2), p2.sigma);
        const double w2 = p1.sigma / (3 * first), w3 = p2.sigma / (3 * first);
        d = ((1 - w2 - w3) * std::move(d)).add(w2, d2).add(w3, d3);
      }
    }
    x.add(dt, d);
    finish_step(o, s, i, x0, x);
  }
  return x;
}

namespace {

std::size_t nearest(const std::vector<double>& sigmas, double value) {
  const auto by_distance = [&](double a, double b) {
    return std::abs(a - value) < std::abs(b - value);
  };
  return static_cast<std::size_t>(std::min_element(sigmas.begin(), sigmas.end(), by_distance) -
                                  sigmas.begin());
}

/// Karras et al. sigmas in single precision: A1111's, whose later digits a long run shows.
std::vector<double> float_karras(int n, double sigma_min, double sigma_max) {
  constexpr double kRho = 7;
  const double low = std::pow(sigma_min, 1 / kRho), high = std::pow(sigma_max, 1 / kRho);
  std::vector<double> v;
  for (float x : even_floats(0, 1, static_cast<std::size_t>(n))) {
    const float root = static_cast<float>(high) + x * static_cast<float>(low - high);
    v.push_back(static_cast<float>(std::pow(static_cast<double>(root), kRho)));
  }
  v.push_back(0);
  return v;
}

using Interval = std::pair<double, double>;

void append_intervals(std::vector<Interval>& out, const std::vector<double>& sigmas,
                      std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < end; ++i) out.emplace_back(sigmas[i], sigmas[i + 1]);
}

/// The intervals of a run through these sigmas: long runs go back up from about 0.1 to about 2 once
/// or twice.
std::vector<Interval> restart_intervals(const std::vector<double>& plain) {
  constexpr double kRestartMin = 0.1, kRestartMax = 2;
  std::vector<Interval> out;
  const int steps = static_cast<int>(plain.size()) - 1;
  if (steps < 20) {
    append_intervals(out, plain, 0, plain.size() - 1);
    return out;
  }
  const int restart_steps = steps >= 36 ? steps / 4 : 9;
  const int times = steps >= 36 ? 2 : 1;
  const std::vector<double> sigmas =
      float_karras(steps - restart_steps * times, plain[plain.size() - 2], plain[0]);
  const std::size_t low = nearest(sigmas, kRestartMin), high = nearest(sigmas, kRestartMax);
  append_intervals(out, sigmas, 0, low);
  if (high < low) {
    const std::vector<double> again = float_karras(restart_steps + 1, sigmas[low], sigmas[high]);
    for (int k = 0; k < times; ++k) append_intervals(out, again, 0, again.size() - 2);
  }
  append_intervals(out, sigmas, low, sigmas.size() - 1);
  return out;
}

}  // namespace

Latents sample_restart(const Denoiser& denoise, Latents x, const Schedule& s,
                       const SamplerOptions& o) {
  std::vector<double> plain;
  for (const Point& p : s.points) plain.push_back(p.sigma);
  // Points that the schedule has keep their timestep.
  const auto point = [&](double sigma) {
    const std::size_t k = nearest(plain, sigma);
    return plain[k] == sigma ? s.points[k] : s.at_sigma(sigma);
  };
  const std::vector<Interval> intervals = restart_intervals(plain);
  Schedule longer = s;
  longer.points = {point(intervals[0].first)};
  for (const auto& [from, to] : intervals) longer.points.push_back(point(to));
  double sigma = intervals[0].first;
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    const auto [from, to] = intervals[i];
    if (from > sigma)
      x.add(o.s_noise * std::sqrt(from * from - sigma * sigma), draw_noise(o, from, sigma));
    const Latents x0 = heun_step(denoise, x, point(from), point(to));
    finish_step(o, longer, i, x0, x);
    sigma = to;
  }
  return x;
}

}  // namespace mezzo::sampling
