// DPM-Solver: Lu et al. 2022 (arXiv:2206.00927), which solves for the noise. The multistep form is
// diffusers'; "fast" and "adaptive" are k-diffusion's single-step forms.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "sampling/even.h"
#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {

Latents sample_dpm_multistep(const Denoiser& denoise, Latents x, const Schedule& s,
                             const SamplerOptions& o) {
  const int highest = o.order.value_or(2);
  const bool sde = o.eta.value_or(0) > 0, heun = o.solver == SolverType::kHeun;
  const double twice = sde ? 2 : 1;
  History noises(static_cast<std::size_t>(highest));
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const Latents x0 = denoise(x, at);
    noises.push(to_epsilon(x0, x, at));
    const int order = order_of_step(o, s, i, highest, noises.size());
    const double h = to.lambda() - at.lambda();
    const double e = std::expm1(h), phi2 = e / h - 1;
    x = (to.alpha / at.alpha * std::move(x)).add(-twice * to.sigma * e, noises[0]);
    if (order >= 2) {
      const double r0 = (at.lambda() - s.points[i - 1].lambda()) / h;
      Latents d1 = (noises[0] - noises[1]) / r0;
      if (order == 2) {
        x.add(-twice * to.sigma * (heun ? phi2 : 0.5 * e), d1);
      } else {
        const double r1 = (s.points[i - 1].lambda() - s.points[i - 2].lambda()) / h;
        const Latents d2 = (d1 - (noises[1] - noises[2]) / r1) / (r0 + r1);
        d1.add(r0, d2);
        x.add(-to.sigma * phi2, d1).add(-to.sigma * ((e - h) / (h * h) - 0.5), d2);
      }
    }
    if (sde) {
      const double up = to.sigma * std::sqrt(std::expm1(2 * h));
      x.add(up * o.s_noise, draw_noise(o, at.sigma, to.sigma));
    }
    finish_step(o, s, i, x0, x);
  }
  return x;
}

namespace {

/// k-diffusion keeps the time in single precision, and so do we: it shows in the fifth digit of the
/// result.
using Time = float;

/// The single-step solvers in variance-exploding form, over t = lambda = -log(sigma). The slope at
/// the start of a step is computed once and shared by solvers of different order.
class SingleStep {
 public:
  SingleStep(const Denoiser& denoise, const Schedule& s, const Latents& x, Time t)
      : denoise_(denoise), s_(s), x_(x), t_(t), noise_(noise_at(x, t, &x0_)) {}

  const Latents& x0() const { return x0_; }

  Latents first(Time t_next) const {
    return Latents(x_).add(-std::exp(-t_next) * std::expm1(t_next - t_), noise_);
  }

  Latents second(Time t_next, Time r1) {
    const Time h = t_next - t_, sigma = std::exp(-t_next);
    return first(t_next).add(-sigma / (2 * r1) * std::expm1(h), difference(h, r1));
  }

  Latents third(Time t_next) {
    constexpr Time kR1 = 1.f / 3, kR2 = 2.f / 3;
    const Time h = t_next - t_, t2 = t_ + kR2 * h;
    const Time phi = std::expm1(kR2 * h) / (kR2 * h) - 1;
    const Latents u2 = first(t2).add(-std::exp(-t2) * (kR2 / kR1) * phi, difference(h, kR1));
    const Latents d2 = noise_at(u2, t2, nullptr) - noise_;
    return first(t_next).add(-std::exp(-t_next) / kR2 * (std::expm1(h) / h - 1), d2);
  }

 private:
  Latents noise_at(const Latents& x, Time t, Latents* x0) const {
    const Point p = s_.at_sigma(std::exp(-t));
    Latents d = denoise_(x, p);
    Latents noise = derivative(x, d, p.sigma);
    if (x0 != nullptr) *x0 = std::move(d);
    return noise;
  }

  /// Noise at the first inner point less noise at the start.
  const Latents& difference(Time h, Time r1) {
    if (difference_.size() == 0) {
      const Time t1 = t_ + r1 * h;
      difference_ = noise_at(first(t1), t1, nullptr) - noise_;
    }
    return difference_;
  }

  const Denoiser& denoise_;
  const Schedule& s_;
  const Latents& x_;
  Time t_;
  Latents x0_, noise_, difference_;
};

/// Where the deterministic part of a stochastic step ends, and how much noise follows.
struct Landing {
  Time t;
  Time up = 0;
};
Landing landing(Time t, Time t_next, Time t_end, Time eta) {
  if (eta == 0) return {t_next};
  const Time from = std::exp(-t), to = std::exp(-t_next);
  const Time variance = to * to * (from * from - to * to) / (from * from);
  const Time most = std::min(to, eta * std::sqrt(variance));
  const Time down = std::min(t_end, -std::log(std::sqrt(to * to - most * most)));
  const Time landed = std::exp(-down);
  return {down, std::sqrt(std::max(Time(0), to * to - landed * landed))};
}

/// First and last level above 0.
std::pair<Time, Time> range(const Schedule& s) {
  double last = s.points[0].sigma;
  for (const Point& p : s.points)
    if (p.sigma > 0) last = p.sigma;
  return {-std::log(static_cast<Time>(s.points[0].sigma)), -std::log(static_cast<Time>(last))};
}

}  // namespace

Latents sample_dpm_fast(const Denoiser& denoise, Latents x, const Schedule& s,
                        const SamplerOptions& o) {
  const auto [t_start, t_end] = range(s);
  const auto eta = static_cast<Time>(o.eta.value_or(0));
  const std::size_t calls = s.steps(), steps = calls / 3 + 1;
  std::vector<std::size_t> orders(steps, 3);
  if (calls % 3 != 0) {
    orders.back() = calls % 3;
  } else {
    orders[steps - 1] = 1;
    orders[steps - 2] = 2;
  }
  const std::vector<Time> times = even_floats(t_start, t_end, steps + 1);
  Schedule shown = s;  // for the hook: the real steps
  shown.points.clear();
  for (Time t : times) shown.points.push_back(s.at_sigma(std::exp(-t)));
  for (std::size_t i = 0; i < steps; ++i) {
    const Landing land = landing(times[i], times[i + 1], t_end, eta);
    SingleStep solver(denoise, s, x, times[i]);
    Latents next = orders[i] == 1   ? solver.first(land.t)
                   : orders[i] == 2 ? solver.second(land.t, 0.5f)
                                    : solver.third(land.t);
    if (eta > 0)
      next.add(land.up * o.s_noise,
               draw_noise(o, shown.points[i].sigma, shown.points[i + 1].sigma));
    const Latents x0 = solver.x0();
    x = std::move(next);
    finish_step(o, shown, i, x0, x);
  }
  return x;
}

namespace {

/// Adjusts the step size to the error (PID control; only the integral part is used by default).
class StepSize {
 public:
  StepSize(double h, double order) : h_(h), exponent_(1 / order) {}
  double h() const { return h_; }
  /// True when the step that made this error is good enough.
  bool accept(double error) {
    constexpr double kSafety = 0.81, kTiny = 1e-8;
    const double factor = 1 + std::atan(std::pow(1 / (error + kTiny), exponent_) - 1);
    h_ *= factor;
    return factor >= kSafety;
  }

 private:
  double h_, exponent_;
};

/// Root mean square of the difference between two orders, relative to what is tolerated.
double step_error(const Latents& low, const Latents& high, const Latents& before) {
  constexpr double kAbsolute = 0.0078, kRelative = 0.05;
  double sum = 0;
  for (std::size_t i = 0; i < low.size(); ++i) {
    const double allowed =
        std::max(kAbsolute, kRelative * std::max(std::abs(low[i]), std::abs(before[i])));
    const double e = (low[i] - high[i]) / allowed;
    sum += e * e;
  }
  return std::sqrt(sum / static_cast<double>(low.size()));
}

}  // namespace

Latents sample_dpm_adaptive(const Denoiser& denoise, Latents x, const Schedule& s,
                            const SamplerOptions& o) {
  constexpr double kFirstStep = 0.05, kArrived = 1e-5;
  constexpr std::size_t kMostSteps = 10000;
  const auto [t_start, t_end] = range(s);
  const int order = o.order.value_or(3);
  const auto eta = static_cast<Time>(o.eta.value_or(0));
  StepSize size(kFirstStep, eta > 0 ? 1.5 : order);
  Latents before = x;
  Time t = t_start;
  for (std::size_t i = 0; t < t_end - kArrived; ++i) {
    if (i == kMostSteps) fail<UsageError>("DPM adaptive does not converge; use another sampler");
    const Time t_next = std::min(t_end, t + static_cast<Time>(size.h()));
    const Landing land = landing(t, t_next, t_end, eta);
    SingleStep solver(denoise, s, x, t);
    Latents low = order == 2 ? solver.first(land.t) : solver.second(land.t, 1.f / 3);
    Latents high = order == 2 ? solver.second(land.t, 0.5f) : solver.third(land.t);
    const Latents x0 = solver.x0();
    const double error = step_error(low, high, before);
    if (!std::isfinite(error))
      fail<UsageError>("DPM adaptive met numbers that are not finite; use another sampler");
    if (!size.accept(error)) {
      if (o.stop.stop_requested()) fail<Cancelled>("cancelled");
      continue;
    }
    before = std::move(low);
    if (eta > 0) high.add(land.up * o.s_noise, draw_noise(o, std::exp(-t), std::exp(-t_next)));
    x = std::move(high);
    // Which step of how many is not known: the hook sees one from here to there, the last of all
    // where the end is reached, and the count of the schedule's levels passed before.
    Schedule shown = s;
    std::size_t behind = 0;
    while (behind + 2 < s.steps() && -std::log(s.points[behind + 1].sigma) <= t_next) ++behind;
    const bool arrived = !(t_next < t_end - kArrived);
    if (arrived) behind = s.steps() - 1;
    shown.points[behind] = s.at_sigma(std::exp(-t));
    shown.points[behind + 1] = s.at_sigma(std::exp(-t_next));
    finish_step(o, shown, behind, x0, x);
    t = t_next;
  }
  return x;
}

}  // namespace mezzo::sampling
