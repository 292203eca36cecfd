#include "sampling/noise_table.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "base/error.h"
#include "sampling/even.h"

namespace mezzo::sampling {
namespace {

constexpr int kMostTrainedSteps = 100000;

std::vector<float> linspace(double a, double b, int n) {
  return even_floats(static_cast<float>(a), static_cast<float>(b), static_cast<std::size_t>(n));
}

/// Betas from a cumulative product given as a function of time in [0, 1].
std::vector<float> betas_of(const std::function<double(double)>& alpha_bar, int n) {
  constexpr double kMostBeta = 0.999;
  std::vector<float> betas;
  for (int i = 0; i < n; ++i) {
    const double now = alpha_bar(static_cast<double>(i) / n);
    const double next = alpha_bar(static_cast<double>(i + 1) / n);
    betas.push_back(static_cast<float>(std::min(1 - next / now, kMostBeta)));
  }
  return betas;
}

double cosine_alpha_bar(double t) {
  const double c = std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2);
  return c * c;
}

double laplace_alpha_bar(double t) {
  const double sign = t > 0.5 ? -1 : 1;
  const double snr = std::exp(-0.5 * sign * std::log(1 - 2 * std::abs(0.5 - t) + 1e-6));
  return std::sqrt(snr / (1 + snr));
}

std::vector<float> betas(const BetaSchedule& b) {
  if (!b.trained.empty()) return {b.trained.begin(), b.trained.end()};
  if (b.name == "linear") return linspace(b.start, b.end, b.steps);
  if (b.name == "scaled_linear") {
    auto v = linspace(std::sqrt(b.start), std::sqrt(b.end), b.steps);
    for (float& x : v) x *= x;
    return v;
  }
  if (b.name == "squaredcos_cap_v2") return betas_of(cosine_alpha_bar, b.steps);
  if (b.name == "laplace") return betas_of(laplace_alpha_bar, b.steps);
  if (b.name == "exp") return betas_of([](double t) { return std::exp(t * -12); }, b.steps);
  if (b.name == "sigmoid") {
    auto v = linspace(-6, 6, b.steps);
    for (float& x : v) x = static_cast<float>(1 / (1 + std::exp(-x)) * (b.end - b.start) + b.start);
    return v;
  }
  fail<LoadError>(
      "scheduler: unknown beta_schedule \"{}\"; known are linear, scaled_linear, "
      "squaredcos_cap_v2, sigmoid, laplace and exp",
      b.name);
}

/// Lin et al. 2023, Algorithm 1: shifts and scales sqrt(alpha) so that the last is 0 and the first
/// stays.
void rescale_to_zero_snr(std::vector<float>& products) {
  const float first = std::sqrt(products.front()), last = std::sqrt(products.back());
  for (float& a : products) {
    const float root = (std::sqrt(a) - last) * (first / (first - last));
    a = root * root;
  }
  // Once through the betas, whose rounding is part of the reference values.
  double product = 1;
  std::vector<float> alphas{products[0]};
  for (std::size_t i = 1; i < products.size(); ++i) alphas.push_back(products[i] / products[i - 1]);
  for (std::size_t i = 0; i < products.size(); ++i) {
    product *= 1.0f - (1.0f - alphas[i]);
    products[i] = static_cast<float>(product);
  }
}

}  // namespace

std::vector<double> alphas_cumprod(const BetaSchedule& b) {
  if (b.trained.empty() && (b.steps < 1 || b.steps > kMostTrainedSteps))
    fail<LoadError>("scheduler: num_train_timesteps is {}, expected 1 to {}", b.steps,
                    kMostTrainedSteps);
  std::vector<float> products;
  double product = 1;  // torch accumulates float products in double
  for (float beta : betas(b)) {
    product *= 1.0f - beta;
    products.push_back(static_cast<float>(product));
  }
  for (float a : products)
    if (!(a >= 0 && a <= 1)) fail<LoadError>("scheduler: its betas are not between 0 and 1");
  if (b.zero_terminal_snr) rescale_to_zero_snr(products);
  return {products.begin(), products.end()};
}

NoiseTable NoiseTable::discrete(std::vector<double> alphas_cumprod) {
  NoiseTable t;
  for (double a : alphas_cumprod) {
    const auto sigma = static_cast<float>(std::sqrt((1 - a) / a));
    t.sigmas_.push_back(sigma);
    t.log_sigmas_.push_back(std::log(sigma));
  }
  t.alphas_cumprod_ = std::move(alphas_cumprod);
  check(!t.sigmas_.empty(), "a noise table without steps");
  return t;
}

NoiseTable NoiseTable::flow(double shift, int steps) {
  if (!(shift > 0) || steps < 1 || steps > kMostTrainedSteps)
    fail<LoadError>("scheduler: shift {} with {} steps is impossible", shift, steps);
  NoiseTable t;
  t.flow_ = true;
  t.shift_ = shift;
  for (int i = 1; i <= steps; ++i) {
    const double u = static_cast<double>(i) / steps;
    t.sigmas_.push_back(shift * u / (1 + (shift - 1) * u));
  }
  return t;
}

double NoiseTable::t_of_sigma(double sigma) const {
  if (flow_) return sigma * steps();
  const double log_sigma = std::log(std::max(sigma, 1e-10));
  const auto last = log_sigmas_.size() - 1;
  if (last == 0) return 0;
  const auto above = std::upper_bound(log_sigmas_.begin(), log_sigmas_.end(), log_sigma);
  const auto found = static_cast<std::size_t>(above - log_sigmas_.begin());
  const std::size_t low = std::min(found == 0 ? 0 : found - 1, last - 1);
  const double a = log_sigmas_[low], b = log_sigmas_[low + 1];
  const double w = std::clamp((a - log_sigma) / (a - b), 0.0, 1.0);
  return static_cast<double>(low) + w;
}

double NoiseTable::sigma_of_t(double t) const {
  if (flow_) {
    const double u = t / steps();
    return shift_ * u / (1 + (shift_ - 1) * u);
  }
  const double last = steps() - 1;
  const double at = std::clamp(t, 0.0, last);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, log_sigmas_.size() - 1);
  const double w = at - static_cast<double>(low);
  return std::exp((1 - w) * log_sigmas_[low] + w * log_sigmas_[high]);
}

double NoiseTable::sigma_between(double t) const {
  const double at = std::clamp(t, 0.0, static_cast<double>(steps() - 1));
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sigmas_.size() - 1);
  const double w = at - static_cast<double>(low);
  return w == 0 ? sigmas_[low] : sigmas_[low] + w * (sigmas_[high] - sigmas_[low]);
}

double NoiseTable::sigma_at_percent(double percent) const {
  if (percent <= 0) return sigma_max();
  if (percent >= 1) return 0;
  return flow_ ? sigma_of_t((1 - percent) * steps()) : sigma_of_t((1 - percent) * (steps() - 1));
}

}  // namespace mezzo::sampling
