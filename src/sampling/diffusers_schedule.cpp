#include "sampling/diffusers_schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"
#include "sampling/beta_distribution.h"
#include "sampling/diffusers_options.h"
#include "sampling/even.h"
#include "sampling/k_schedules.h"
#include "sampling/samplers/samplers.h"

namespace mezzo::sampling {
namespace {

using Numbers = std::vector<double>;

double as_float(double v) { return static_cast<float>(v); }

/// The trained steps that are not left out for their signal-to-noise ratio ("lambda_min_clipped",
/// for cosine tables).
int usable_steps(const SchedulerConfig& c, const NoiseTable& table) {
  if (c.scheduler().family != Family::kLambda) return c.train_steps();
  const double least = c.number("lambda_min_clipped", -std::numeric_limits<double>::infinity());
  const auto clipped = std::count_if(table.sigmas().begin(), table.sigmas().end(),
                                     [&](double sigma) { return -std::log(sigma) < least; });
  const int usable = c.train_steps() - static_cast<int>(clipped);
  if (usable < 1) fail<LoadError>("scheduler_config.json: lambda_min_clipped is {}", least);
  return usable;
}

/// Timesteps from high to low. `extra`: made for one step more, whose last is left out.
Numbers spaced_timesteps(const SchedulerConfig& c, const NoiseTable& table, int steps, bool extra,
                         bool round) {
  const int n = usable_steps(c, table), count = steps + (extra ? 1 : 0);
  Numbers t;
  switch (c.spacing()) {
    case Spacing::kLinspace:
      for (double v : even(0, n - 1, count)) t.push_back(round ? std::nearbyint(v) : as_float(v));
      std::reverse(t.begin(), t.end());
      break;
    case Spacing::kLeading:
      for (int i = count; i-- > 0;) t.push_back(i * (n / count) + c.integer("steps_offset", 0));
      break;
    case Spacing::kTrailing: {
      const double ratio = static_cast<double>(c.train_steps()) / steps;
      for (int i = 0; i < static_cast<int>(std::ceil(n / ratio)); ++i)
        t.push_back(std::nearbyint(n - i * ratio) - 1);
      return t;
    }
  }
  if (extra) t.pop_back();
  return t;
}

enum class Spread { kNone, kKarras, kExponential, kBeta, kLu };

Spread spread(const SchedulerConfig& c) {
  if (c.flag("use_karras_sigmas", false)) return Spread::kKarras;
  if (c.flag("use_exponential_sigmas", false)) return Spread::kExponential;
  if (c.flag("use_beta_sigmas", false)) return Spread::kBeta;
  if (c.flag("use_lu_lambdas", false)) return Spread::kLu;
  return Spread::kNone;
}

/// n sigmas from high to low without the 0 at the end.
Numbers spread_sigmas(Spread how, double low, double high, int n) {
  constexpr double kAlpha = 0.6, kBeta = 0.6;
  Numbers v;
  if (how == Spread::kKarras) {
    v = karras_sigmas(n, low, high);
    v.pop_back();
  } else if (how == Spread::kBeta) {
    for (double p : even(0, 1, n))
      v.push_back(low + beta_quantile(1 - p, kAlpha, kBeta) * (high - low));
  } else {
    for (double u : even(std::log(high), std::log(low), n)) v.push_back(std::exp(u));
  }
  return v;
}

Point table_point(const NoiseTable& table, double t) {
  const double a = table.alphas_cumprod()[static_cast<std::size_t>(t)];
  return {std::sqrt(a), std::sqrt(1 - a), t};
}

/// The level `t`, or the end where t is below 0.
Point table_point_or_end(const NoiseTable& table, double t, bool end_is_one) {
  if (t >= 0) return table_point(table, t);
  Point end = end_is_one ? Point{1, 0} : table_point(table, 0);
  end.t = t;
  return end;
}

void check_timesteps(const Numbers& timesteps, const NoiseTable& table) {
  for (double t : timesteps)
    if (!(t >= 0 && t < table.steps()))
      fail<UsageError>("timestep {} is outside the model's {} steps; ask for fewer steps", t,
                       table.steps());
}

/// PNDM's calls: a Runge-Kutta warm-up of four calls for each of the first three steps, or the
/// first step twice.
void add_pndm_calls(Schedule& s, const SchedulerConfig& c, const NoiseTable& table, Numbers t) {
  const int steps = static_cast<int>(t.size()), ratio = c.train_steps() / steps;
  const bool end_is_one = c.flag("set_alpha_to_one", false);
  const auto call = [&](double at, double from, double to) {
    s.points.push_back(table_point(table, at));
    s.sources.push_back(table_point(table, from));
    s.targets.push_back(table_point_or_end(table, to, end_is_one));
  };
  if (!c.flag("skip_prk_steps", false)) {
    constexpr std::size_t kWarmUpSteps = 3;
    if (t.size() < kWarmUpSteps + 1)
      fail<UsageError>("PNDM with its Runge-Kutta warm-up needs at least 4 steps, got {}", steps);
    const int half = ratio / 2;
    for (std::size_t i = 0; i < kWarmUpSteps; ++i) {
      const double top = t[i], next = t[i + 1], middle = next + half;
      call(top, top, top - half);
      call(middle, top, middle);
      call(middle, top, middle - half);
      call(next, top, next);
    }
    s.warm_up_calls = 4 * kWarmUpSteps;
    t.erase(t.begin(), t.begin() + kWarmUpSteps);
  } else if (steps > 1) {
    t.insert(t.begin() + 1, t[1]);
  }
  for (double at : t) call(at, at, at - ratio);
  s.points.push_back(s.targets.back());
}

/// The second call of a run without warm-up makes the first step again, wherever the run starts.
void redo_first_pndm_step(Schedule& s, const SchedulerConfig& c, const NoiseTable& table,
                          int steps) {
  if (s.warm_up_calls > 0 || s.steps() < 2) return;
  const double last = table.steps() - 1;
  const double from = std::min(s.points[1].t + c.train_steps() / steps, last);
  s.sources[1] = table_point(table, from);
  s.targets[1] = s.points[1];
}

/// DDIM, DDPM, PNDM.
Schedule table_schedule(const SchedulerConfig& c, const NoiseTable& table, int steps) {
  Schedule s;
  s.space = Space::kVariancePreserving;
  const Numbers t = spaced_timesteps(c, table, steps, false, true);
  check_timesteps(t, table);
  if (c.scheduler().sample == sample_pndm) {
    add_pndm_calls(s, c, table, t);
    return s;
  }
  for (double at : t) s.points.push_back(table_point(table, at));
  if (c.scheduler().sample == sample_ddim) {
    // A fixed number of timesteps down, wherever the next timestep is.
    for (double at : t)
      s.targets.push_back(table_point_or_end(table, at - c.train_steps() / steps,
                                             c.flag("set_alpha_to_one", true)));
    s.points.push_back(s.targets.back());
  } else {
    s.points.push_back({1, 0});
  }
  return s;
}

/// LCM, TCD: a choice of the timesteps that the model was distilled at.
Schedule origin_schedule(const SchedulerConfig& c, const NoiseTable& table,
                         const DiffusersRequest& r) {
  const int origin = c.integer("original_inference_steps", 50);
  if (origin < 1 || origin > c.train_steps())
    fail<LoadError>("scheduler_config.json: original_inference_steps is {}", origin);
  if (r.steps > origin)
    fail<UsageError>("this model was distilled for at most {} steps, got {}", origin, r.steps);
  Schedule s;
  s.space = Space::kVariancePreserving;
  const int stride = c.train_steps() / origin;
  for (int i = 0; i < r.steps; ++i) {
    const int skipped = static_cast<int>(std::floor(static_cast<double>(i) * origin / r.steps));
    s.points.push_back(table_point(table, (origin - skipped) * stride - 1));
  }
  if (c.scheduler().sample == sample_lcm) {
    s.points.push_back({1, 0});
    return s;
  }
  const double gamma = r.eta.value_or(0.3);
  s.points.push_back(table_point(table, 0));
  for (std::size_t i = 0; i < s.steps(); ++i)
    s.targets.push_back(table_point(table, std::floor((1 - gamma) * s.points[i + 1].t)));
  return s;
}

Schedule sigma_points(Space space, const Numbers& sigmas, const Numbers& timesteps, double last) {
  Schedule s;
  s.space = space;
  for (std::size_t i = 0; i < sigmas.size(); ++i)
    s.points.push_back(Schedule::point(space, as_float(sigmas[i]), timesteps[i]));
  s.points.push_back(Schedule::point(space, as_float(last)));
  return s;
}

Numbers sigmas_between(const NoiseTable& table, const Numbers& timesteps) {
  Numbers v;
  for (double t : timesteps) v.push_back(table.sigma_between(t));
  return v;
}

/// Euler and its relatives: variance exploding.
Schedule sigma_schedule(const SchedulerConfig& c, const NoiseTable& table, int steps) {
  Numbers t = spaced_timesteps(c, table, steps, false, false);
  check_timesteps(t, table);
  Numbers sigmas = sigmas_between(table, t);
  double last = c.text("final_sigmas_type", "zero") == "sigma_min" ? table.sigma_min() : 0;
  if (c.text("interpolation_type", "linear") == "log_linear") {
    sigmas = spread_sigmas(Spread::kExponential, table.sigma_min(), table.sigma_max(), steps + 1);
    sigmas.resize(t.size());
    last = table.sigma_min();  // one value too many: the reference never reaches its last
  }
  const Spread how = spread(c);
  if (how != Spread::kNone) {
    sigmas = spread_sigmas(how, sigmas.back(), sigmas.front(), steps);
    t.clear();
    for (double sigma : sigmas) t.push_back(table.t_of_sigma(sigma));
    if (how == Spread::kKarras && c.scheduler().rounds_karras)
      for (double& v : t) v = std::nearbyint(v);
  }
  for (double& v : t) v = as_float(v);
  return sigma_points(Space::kVarianceExploding, sigmas, t, last);
}

/// Flow sigmas of the DPM-Solver family.
Numbers shifted_sigmas(const SchedulerConfig& c, int steps) {
  const double shift = c.shift(), n = c.train_steps();
  const bool unipc = c.scheduler().sample == sample_unipc;
  Numbers v;
  for (int i = 0; i < steps; ++i) {
    // UniPC takes the first of the even values from 1 down, the others the last from 1 - 1/n.
    const double alpha =
        unipc ? 1 + (1 / n - 1) * i / steps : 1 + (1 / n - 1) * (steps - i) / steps;
    const double sigma = unipc ? alpha : 1 - alpha;
    v.push_back(shift * sigma / (1 + (shift - 1) * sigma));
  }
  constexpr double kNearOne = 1e-6;
  if (unipc && std::abs(v[0] - 1) < kNearOne) v[0] -= kNearOne;
  return v;
}

/// DPM-Solver++ and its relatives: variance preserving, by sigma.
Schedule lambda_schedule(const SchedulerConfig& c, const NoiseTable& table, int steps) {
  const bool to_min = c.text("final_sigmas_type", "zero") == "sigma_min";
  const bool at_last = c.scheduler().ends_at_last;
  Numbers t, sigmas;
  const Spread how = spread(c);
  const bool flow = c.flag("use_flow_sigmas", false);
  double last = to_min || at_last ? table.sigma_min() : 0;
  if (how != Spread::kNone) {
    sigmas = spread_sigmas(how, table.sigma_min(), table.sigma_max(), steps);
    for (double sigma : sigmas) t.push_back(table.t_of_sigma(sigma));
    if (how == Spread::kKarras || how == Spread::kLu)
      for (double& v : t) v = std::nearbyint(v);
  } else if (flow) {
    sigmas = shifted_sigmas(c, steps);
    for (double sigma : sigmas) t.push_back(sigma * c.train_steps());
    if (at_last) last = sigmas.back();
  } else {
    t = spaced_timesteps(c, table, steps, true, true);
    check_timesteps(t, table);
    sigmas = sigmas_between(table, t);
  }
  if (at_last && how != Spread::kNone) last = sigmas.back();
  for (double& v : t) v = std::trunc(v);
  return sigma_points(flow ? Space::kFlow : Space::kVariancePreserving, sigmas, t, last);
}

/// FlowMatchEuler, FlowMatchHeun, FlowMatchLCM.
Schedule flow_schedule(const SchedulerConfig& c, const DiffusersRequest& r) {
  const double n = c.train_steps(), shift = c.shift();
  const bool dynamic = c.flag("use_dynamic_shifting", false);
  if (dynamic && !r.mu) fail<UsageError>("this model's schedule depends on the size of the image");
  const auto shifted = [&](double u) { return shift * u / (1 + (shift - 1) * u); };
  Numbers v = even(1, dynamic ? 1 / n : as_float(shifted(as_float(1 / n))), r.steps);
  const bool exponential = c.text("time_shift_type", "exponential") == "exponential";
  for (double& u : v) {
    const double m = !dynamic ? 0 : exponential ? std::exp(*r.mu) : *r.mu;
    u = dynamic ? m / (m + (1 / u - 1)) : shifted(u);
  }
  if (const double terminal = c.number("shift_terminal", 0); terminal != 0) {
    const double scale = (1 - v.back()) / (1 - terminal);
    for (double& u : v) u = 1 - (1 - u) / scale;
  }
  if (spread(c) != Spread::kNone) v = spread_sigmas(spread(c), v.back(), v.front(), r.steps);
  const bool invert = c.flag("invert_sigmas", false);
  Numbers t;
  for (double& u : v) {
    u = as_float(invert ? 1 - as_float(u) : u);
    t.push_back(as_float(u * n));
  }
  return sigma_points(Space::kFlow, v, t, invert ? 1 : 0);
}

Schedule ipndm_schedule(int steps) {
  Schedule s;
  s.space = Space::kVariancePreserving;
  for (double u : even(1, 0, steps + 1)) {
    const double beta = std::pow(std::sin(u * std::numbers::pi / 2), 2);
    const double alpha = std::sqrt(1 - beta * beta);
    s.points.push_back({alpha, beta, as_float(std::atan2(beta, alpha) / std::numbers::pi * 2)});
  }
  return s;
}

Schedule edm_schedule(const SchedulerConfig& c, int steps) {
  const double low = c.number("sigma_min", 0.002), high = c.number("sigma_max", 80);
  const bool karras = c.text("sigma_schedule", "karras") == "karras";
  const Numbers v =
      spread_sigmas(karras ? Spread::kKarras : Spread::kExponential, low, high, steps);
  Numbers t;
  for (double sigma : v) t.push_back(as_float(0.25 * std::log(as_float(sigma))));
  const bool to_min = c.text("final_sigmas_type", "zero") == "sigma_min";
  return sigma_points(Space::kVarianceExploding, v, t, to_min ? low : 0);
}

Schedule full_schedule(const SchedulerConfig& c, const NoiseTable& table,
                       const DiffusersRequest& r) {
  switch (c.scheduler().family) {
    case Family::kTable:
      return table_schedule(c, table, r.steps);
    case Family::kOrigin:
      return origin_schedule(c, table, r);
    case Family::kSigma:
      return sigma_schedule(c, table, r.steps);
    case Family::kLambda:
      return lambda_schedule(c, table, r.steps);
    case Family::kFlow:
      return flow_schedule(c, r);
    case Family::kIpndm:
      return ipndm_schedule(r.steps);
    case Family::kEdm:
      return edm_schedule(c, r.steps);
  }
  return {};
}

double initial_sigma(const SchedulerConfig& c, const Schedule& s) {
  const double high = s.points[0].sigma;
  if (c.scheduler().family == Family::kEdm) return std::hypot(c.number("sigma_max", 80), 1);
  if (c.scheduler().family != Family::kSigma) return 1;
  return c.spacing() == Spacing::kLeading ? std::hypot(high, 1) : high;
}

}  // namespace

DiffusersRun diffusers_run(const SchedulerConfig& c, const DiffusersRequest& r) {
  if (r.steps < 1 || r.steps > c.train_steps())
    fail<UsageError>("steps is {}, expected 1 to {}", r.steps, c.train_steps());
  const Family family = c.scheduler().family;
  const NoiseTable table = c.beta_table(family == Family::kSigma || family == Family::kLambda);
  DiffusersRun run;
  run.schedule = full_schedule(c, table, r);
  run.options = diffusers_options(c, r);
  run.init_noise_sigma = initial_sigma(c, run.schedule);
  skip_steps(run.schedule, r.steps, r.strength);
  if (c.scheduler().sample == sample_pndm) redo_first_pndm_step(run.schedule, c, table, r.steps);
  return run;
}

void skip_steps(Schedule& s, int steps, double strength) {
  const int made = std::min(static_cast<int>(steps * strength), steps);
  const int skipped = std::max(steps - made, 0);
  if (skipped == 0) return;
  if (made < 1 || static_cast<std::size_t>(skipped) >= s.steps())
    fail<UsageError>("strength {} of {} steps leaves no step to make; raise either", strength,
                     steps);
  s.full_steps = s.steps();
  for (auto* list : {&s.points, &s.sources, &s.targets})
    if (!list->empty()) list->erase(list->begin(), list->begin() + skipped);
}

}  // namespace mezzo::sampling
