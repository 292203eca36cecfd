// Heun: Karras et al. 2022 (arXiv:2206.00364), Algorithm 2. Heun++ 2: weights by sigma over three
// slopes, after sd-webui-samplers-scheduler. Restart: Xu et al. 2023 (arXiv:2306.14878) with
// A1111's choice of intervals.
#include <algorithm>
#include <cmath>

#include "sampling/k_schedules.h"
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

/// The sigmas of a run of so many steps, going back up from about 0.1 to about 2 once or twice in
/// long runs.
std::vector<double> restart_sigmas(const std::vector<double>& plain) {
  constexpr double kRestartMin = 0.1, kRestartMax = 2;
  const int steps = static_cast<int>(plain.size()) - 1;
  if (steps < 20) return plain;
  const int restart_steps = steps >= 36 ? steps / 4 : 9;
  const int times = steps >= 36 ? 2 : 1;
  std::vector<double> sigmas =
      karras_sigmas(steps - restart_steps * times, plain[plain.size() - 2], plain[0]);
  const std::size_t low = nearest(sigmas, kRestartMin), high = nearest(sigmas, kRestartMax);
  if (high >= low) return sigmas;
  std::vector<double> again = karras_sigmas(restart_steps + 1, sigmas[low], sigmas[high]);
  again.pop_back();
  std::vector<double> out(sigmas.begin(), sigmas.begin() + static_cast<std::ptrdiff_t>(low) + 1);
  for (int k = 0; k < times; ++k) out.insert(out.end(), again.begin(), again.end());
  out.insert(out.end(), sigmas.begin() + static_cast<std::ptrdiff_t>(low) + 1, sigmas.end());
  return out;
}

}  // namespace

Latents sample_restart(const Denoiser& denoise, Latents x, const Schedule& s,
                       const SamplerOptions& o) {
  std::vector<double> plain;
  for (const Point& p : s.points) plain.push_back(p.sigma);
  const std::vector<double> sigmas = restart_sigmas(plain);
  // Points that the schedule has keep their timestep.
  Schedule longer = s;
  longer.points.clear();
  for (double sigma : sigmas) {
    const std::size_t k = nearest(plain, sigma);
    longer.points.push_back(plain[k] == sigma ? s.points[k] : s.at_sigma(sigma));
  }
  for (std::size_t i = 0; i < longer.steps(); ++i) {
    const Point &at = longer.points[i], &to = longer.points[i + 1];
    if (to.sigma > at.sigma) {
      const double up = std::sqrt(to.sigma * to.sigma - at.sigma * at.sigma);
      x.add(o.s_noise * up, draw_noise(o, to.sigma, at.sigma));
      continue;
    }
    if (to.sigma == at.sigma) continue;
    const Latents x0 = heun_step(denoise, x, at, to);
    finish_step(o, longer, i, x0, x);
  }
  return x;
}

}  // namespace mezzo::sampling
