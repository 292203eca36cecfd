#include "sampling/k_schedules.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sampling/beta_distribution.h"
#include "sampling/even.h"
#include "sampling/names.h"

namespace mezzo::sampling {
namespace {

using Sigmas = std::vector<double>;

Sigmas with_zero(Sigmas v) {
  v.push_back(0);
  return v;
}

Sigmas karras(const ScheduleRequest& r) { return karras_sigmas(r.steps, r.sigma_min, r.sigma_max); }

Sigmas karras_rho5(const ScheduleRequest& r) {
  return karras_sigmas(r.steps, r.sigma_min, r.sigma_max, 5);
}

/// Even in the logarithm, bent by rho.
Sigmas polyexponential_rho(const ScheduleRequest& r, double rho) {
  const double low = std::log(r.sigma_min), high = std::log(r.sigma_max);
  Sigmas v = even(1, 0, r.steps);
  for (double& x : v) x = std::exp(std::pow(x, rho) * (high - low) + low);
  return with_zero(std::move(v));
}
Sigmas polyexponential(const ScheduleRequest& r) { return polyexponential_rho(r, 1); }
Sigmas polyexponential_rho2(const ScheduleRequest& r) { return polyexponential_rho(r, 2); }

/// Even in timesteps, over both ends.
Sigmas normal(const ScheduleRequest& r) {
  const double start = r.table.t_of_sigma(r.sigma_max), end = r.table.t_of_sigma(r.sigma_min);
  Sigmas v = even(start, end, r.steps);
  for (double& x : v) x = r.table.sigma_of_t(x);
  return with_zero(std::move(v));
}

/// Even in timesteps, one step more than asked for and the last left out.
Sigmas sgm_uniform(const ScheduleRequest& r) {
  const double start = r.table.t_of_sigma(r.sigma_max), end = r.table.t_of_sigma(r.sigma_min);
  Sigmas v = even(start, end, r.steps + 1);
  v.pop_back();
  for (double& x : v) x = r.table.sigma_of_t(x);
  return with_zero(std::move(v));
}

/// Entries of the table at even distances from its top.
Sigmas simple(const ScheduleRequest& r) {
  const Sigmas& table = r.table.sigmas();
  const double stride = static_cast<double>(table.size()) / r.steps;
  Sigmas v;
  for (int i = 0; i < r.steps; ++i)
    v.push_back(table[table.size() - 1 - static_cast<std::size_t>(i * stride)]);
  return with_zero(std::move(v));
}

/// Entries of the table at even distances from its bottom: the count may differ from what was asked
/// for.
Sigmas ddim_uniform(const ScheduleRequest& r) {
  const Sigmas& table = r.table.sigmas();
  const std::size_t stride =
      std::max<std::size_t>(table.size() / static_cast<std::size_t>(r.steps), 1);
  Sigmas v;
  for (std::size_t i = 1; i < table.size(); i += stride) v.push_back(table[i]);
  std::reverse(v.begin(), v.end());
  return with_zero(std::move(v));
}

Sigmas beta(const ScheduleRequest& r) {
  constexpr double kAlpha = 0.6, kBeta = 0.6;
  Sigmas v;
  if (r.convention == Convention::kA1111) {
    for (double x : even(0, 1, r.steps))
      v.push_back(r.sigma_min + beta_quantile(1 - x, kAlpha, kBeta) * (r.sigma_max - r.sigma_min));
    return with_zero(std::move(v));
  }
  double last = -1;
  for (int i = 0; i < r.steps; ++i) {
    const double p = 1 - static_cast<double>(i) / r.steps;
    const double t = std::nearbyint(beta_quantile(p, kAlpha, kBeta) * (r.table.steps() - 1));
    if (t != last) v.push_back(r.table.sigmas()[static_cast<std::size_t>(t)]);
    last = t;
  }
  return with_zero(std::move(v));
}

Sigmas kl_optimal(const ScheduleRequest& r) {
  const bool to_sigma_min = r.convention == Convention::kA1111;
  const int n = to_sigma_min ? r.steps + 1 : r.steps;
  Sigmas v = even(std::atan(r.sigma_max), std::atan(r.sigma_min), n);
  for (double& x : v) x = std::tan(x);
  return to_sigma_min ? v : with_zero(std::move(v));
}

Sigmas linear_quadratic(const ScheduleRequest& r) {
  constexpr double kThreshold = 0.025;
  const int n = r.steps;
  if (n == 1) return {r.sigma_max, 0};
  const double linear = n / 2, quadratic = n - n / 2;
  const double difference = linear - kThreshold * n;
  const double a = difference / (linear * quadratic * quadratic);
  const double b = kThreshold / linear - 2 * difference / (quadratic * quadratic);
  Sigmas v;
  for (int i = 0; i < n; ++i) {
    const double done =
        i < n / 2 ? i * kThreshold / linear : a * i * i + b * i + a * linear * linear;
    v.push_back((1 - done) * r.sigma_max);
  }
  return with_zero(std::move(v));
}

/// A continuous variance-preserving process with a linear beta; takes no notice of the model.
Sigmas vp(const ScheduleRequest& r) {
  constexpr double kBetaD = 19.9, kBetaMin = 0.1, kEpsilon = 1e-3;
  Sigmas v = even(1, kEpsilon, r.steps);
  for (double& t : v) t = std::sqrt(std::expm1(kBetaD * t * t / 2 + kBetaMin * t));
  return with_zero(std::move(v));
}

Sigmas laplace(const ScheduleRequest& r) {
  constexpr double kBeta = 0.5, kEpsilon = 1e-5;
  Sigmas v = even(0, 1, r.steps);
  for (double& x : v) {
    const double sign = x < 0.5 ? 1 : x > 0.5 ? -1 : 0;
    const double lambda = -kBeta * sign * std::log(1 - 2 * std::abs(0.5 - x) + kEpsilon);
    x = std::clamp(std::exp(lambda), r.sigma_min, r.sigma_max);
  }
  return v;
}

/// n values log-linear between the given falling ones.
Sigmas log_linear(std::span<const double> given, int n) {
  Sigmas v;
  const auto last = static_cast<double>(given.size() - 1);
  for (double x : even(0, 1, n)) {
    // Position counted from the low end, so that one step alone is the lowest.
    const double at = last * x;
    const auto low = std::min(static_cast<std::size_t>(at), given.size() - 2);
    const double w = at - static_cast<double>(low);
    const double a = std::log(given[given.size() - 1 - low]);
    const double b = std::log(given[given.size() - 2 - low]);
    v.push_back(std::exp(a + w * (b - a)));
  }
  std::reverse(v.begin(), v.end());
  return v;
}

constexpr std::array kAys = {14.615, 6.475, 3.861, 2.697, 1.886, 1.396,
                             0.963,  0.652, 0.399, 0.152, 0.029};
constexpr std::array kAysLong = {14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520,
                                 1.8841921177,  1.3943805092, 0.9642583904, 0.6523686016,
                                 0.3977456272,  0.1515232662, 0.0291671582};
constexpr std::array kGits = {14.615, 4.617, 2.507, 1.236, 0.702, 0.402,
                              0.240,  0.156, 0.104, 0.094, 0.029};
constexpr std::array kAys32 = {
    14.615,     11.23951352, 8.64363081, 6.64729424, 5.57250862, 4.71648546, 3.99196065, 3.5195609,
    3.13490466, 2.79228788,  2.48773628, 2.21663865, 1.97508351, 1.7793172,  1.61475335, 1.46540953,
    1.314849,   1.16642497,  1.03475547, 0.91573744, 0.80748169, 0.71202361, 0.621739,   0.53065202,
    0.4529096,  0.37491455,  0.27461819, 0.2011529,  0.14105873, 0.06682881, 0.03166121, 0.015};

Sigmas align_your_steps(const ScheduleRequest& r) {
  if (r.convention == Convention::kA1111) return with_zero(log_linear(kAys, r.steps));
  Sigmas v = log_linear(kAysLong, r.steps + 1);
  v.back() = 0;
  return v;
}
Sigmas ays_11(const ScheduleRequest& r) { return with_zero(log_linear(kAys, r.steps)); }
Sigmas ays_32(const ScheduleRequest& r) { return with_zero(log_linear(kAys32, r.steps)); }
Sigmas gits(const ScheduleRequest& r) { return with_zero(log_linear(kGits, r.steps)); }

}  // namespace

std::vector<double> karras_sigmas(int n, double sigma_min, double sigma_max, double rho) {
  const double low = std::pow(sigma_min, 1 / rho), high = std::pow(sigma_max, 1 / rho);
  Sigmas v = even(0, 1, n);
  for (double& x : v) x = std::pow(high + x * (low - high), rho);
  return with_zero(std::move(v));
}

std::span<const ScheduleInfo> schedules() {
  static const std::vector<ScheduleInfo> table = {
      {"karras", "Karras", {}, karras},
      {"karras_rho5", "Karras rho 5", {}, karras_rho5},
      {"exponential", "Exponential", {}, polyexponential},
      {"polyexponential", "Polyexponential", {}, polyexponential},
      {"polyexponential_rho2", "Polyexponential rho 2", {}, polyexponential_rho2},
      {"beta", "Beta", {}, beta},
      {"simple", "Simple", {}, simple},
      {"normal", "Normal", {"uniform", "discrete"}, normal},
      {"sgm_uniform", "SGM Uniform", {"sgmuniform"}, sgm_uniform},
      {"ddim_uniform", "DDIM", {"ddim"}, ddim_uniform},
      {"ays", "Align Your Steps", {"align_your_steps"}, align_your_steps},
      {"ays_11", "Align Your Steps 11", {"align_your_steps_11"}, ays_11},
      {"ays_32", "Align Your Steps 32", {"align_your_steps_32"}, ays_32},
      {"gits", "Align Your Steps GITS", {"align_your_steps_gits"}, gits},
      {"kl_optimal", "KL Optimal", {}, kl_optimal},
      {"linear_quadratic", "Linear Quadratic", {}, linear_quadratic},
      {"vp", "VP", {}, vp},
      {"laplace", "Laplace", {}, laplace},
  };
  return table;
}

const ScheduleInfo* find_schedule(std::string_view name) {
  for (const ScheduleInfo& s : schedules())
    if (matches_name(name, s.name, s.display, s.aliases)) return &s;
  return nullptr;
}

const ScheduleInfo& choose_schedule(std::string_view name) {
  if (const ScheduleInfo* s = find_schedule(name)) return *s;
  std::vector<std::string_view> known = {"model", "automatic"};
  for (const ScheduleInfo& s : schedules()) known.push_back(s.name);
  fail_unknown("schedule", name, known);
}

}  // namespace mezzo::sampling
