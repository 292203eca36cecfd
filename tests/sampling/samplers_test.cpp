// Every sampler of the registry on data that is one Gaussian, where the denoiser and the solution
// are known exactly.
#include <cmath>

#include <gtest/gtest.h>

#include "mezzotint/errors.h"
#include "sampling/k_schedules.h"
#include "sampling/random.h"
#include "sampling/registry.h"

namespace mezzo::sampling {
namespace {

constexpr double kMean = 0.7, kDeviation = 0.5, kSigmaMin = 0.002, kSigmaMax = 20;

/// E[x0 | x] for x0 of N(mean, deviation^2).
Latents exact_x0(const Latents& x, const Point& p) {
  const double c = kDeviation * kDeviation, s = p.sigma * p.sigma;
  Latents out = x;
  for (double& v : out.values()) v = (c * v + s * kMean) / (c + s);
  return out;
}

/// The deterministic solution at sigma = 0.
double exact_solution(double x) {
  return kMean + (x - kMean) * kDeviation / std::hypot(kDeviation, kSigmaMax);
}

Latents sampled(const SamplerInfo& sampler, int steps, Latents x, const SamplerOptions& o) {
  const Schedule s =
      Schedule::from_sigmas(Space::kVarianceExploding, karras_sigmas(steps, kSigmaMin, kSigmaMax));
  return sampler.sample(exact_x0, std::move(x), s, o);
}

double error(const SamplerInfo& sampler, int steps) {
  const Latents x({-30, -3, 0.1, 12});
  const Latents got = sampled(sampler, steps, x, {});
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    worst = std::max(worst, std::abs(got[i] - exact_solution(x[i])));
  return worst;
}

TEST(Samplers, DeterministicOnesConverge) {
  for (const SamplerInfo& s : samplers()) {
    // Adaptive chooses its own steps; TCD and LCM are not solvers of the ODE.
    if (s.noise != Noise::kNone || s.needs_unconditional || s.name == "dpm_adaptive") continue;
    SCOPED_TRACE(std::string(s.name));
    const double coarse = error(s, 20), fine = error(s, 80);
    EXPECT_LT(fine, 0.03);
    EXPECT_LT(fine, coarse / 2.5);
  }
}

TEST(Samplers, OrderOfConvergence) {
  const auto order = [](const char* name) {
    return std::log2(error(*find_sampler(name), 64) / error(*find_sampler(name), 128));
  };
  EXPECT_NEAR(order("euler"), 1, 0.2);
  EXPECT_NEAR(order("ddim"), 1, 0.2);
  EXPECT_GT(order("heun"), 1.7);
  EXPECT_GT(order("dpm2"), 1.7);
  EXPECT_GT(order("dpmpp_2m"), 1.5);
}

TEST(Samplers, StochasticOnesKeepTheDistribution) {
  constexpr std::size_t kCount = 20000;
  for (const SamplerInfo& s : samplers()) {
    // LCM and TCD are made for distilled models: with an exact denoiser they shrink.
    if (s.noise == Noise::kNone || s.needs_unconditional || s.name == "lcm" || s.name == "tcd")
      continue;
    SCOPED_TRACE(std::string(s.name));
    PhiloxGenerator random(7);
    const auto draw = [&] { return Latents::from_floats(random.normal(kCount)); };
    Latents x = std::hypot(kDeviation, kSigmaMax) * draw();
    for (double& v : x.values()) v += kMean;
    SamplerOptions o;
    o.noise = [&](double, double) { return draw(); };
    const Latents got = sampled(s, 60, x, o);
    double mean = 0, square = 0;
    for (double v : got.values()) mean += v / kCount;
    for (double v : got.values()) square += (v - mean) * (v - mean) / kCount;
    EXPECT_NEAR(mean, kMean, 0.03);
    EXPECT_NEAR(std::sqrt(square), kDeviation, 0.05);
  }
}

TEST(Samplers, StopBetweenSteps) {
  std::stop_source stop;
  SamplerOptions o;
  o.stop = stop.get_token();
  o.after_step = [&](const StepInfo& info, Latents&) {
    if (info.step == 2) stop.request_stop();
    EXPECT_LE(info.step, 2u);
  };
  EXPECT_THROW(sampled(*find_sampler("euler"), 10, Latents({1, 2}), o), Cancelled);
}

}  // namespace
}  // namespace mezzo::sampling
