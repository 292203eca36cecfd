// The door to sampling for pipelines: a plan made of a model's scheduler configuration and what the
// user asked for, and a run of it. Scaling of the network's input, what the network predicts and
// the bookkeeping of each method stay inside.
#pragma once

#include <optional>
#include <string>

#include "sampling/diffusers_schedule.h"
#include "sampling/k_schedules.h"
#include "sampling/registry.h"

namespace mezzo::sampling {

struct PlanRequest {
  /// Any name that choose_sampler() takes; empty: the configuration's own.
  std::string sampler = {};
  /// A schedule's name; empty or "model": the configuration's own; "automatic": A1111's choice for
  /// the sampler.
  std::string schedule = {};
  /// leading, trailing or linspace; empty: the configuration's own. UsageError where the sampler
  /// and schedule have no such choice.
  std::string spacing = {};
  int steps = 20;
  /// Image to image: the share of the steps that is made, in (0, 1].
  double strength = 1;
  std::optional<double> eta = {};
  /// Flow models with dynamic shifting.
  std::optional<double> mu = {};
  Convention convention = Convention::kA1111;
};

struct SamplingPlan {
  std::string sampler;   // canonical name or diffusers class
  std::string schedule;  // canonical name; "model" for the configuration's own
  Sampler sample = nullptr;
  Schedule points;
  SamplerOptions options;
  Prediction prediction = Prediction::kEpsilon;
  NoiseTable table;
  /// Unit noise times this is where a run from noise starts.
  double init_noise_sigma = 1;
  bool needs_unconditional = false;
  bool follows_path = false;  // its noise is one Brownian path: see brownian_noise()
  bool takes_churn = true;    // diffusers' flow schedulers do not

  std::size_t steps() const { return points.steps(); }
  const Point& start() const { return points.points.front(); }
  /// What the network is told at a point.
  double timestep(const Point&) const;
  /// At the first call of each step.
  std::vector<double> timesteps() const;
};

/// Throws UsageError for unknown names and impossible numbers, LoadError for an impossible
/// configuration.
SamplingPlan plan(const SchedulerConfig&, const PlanRequest&);

/// Where a run from noise starts.
Latents from_noise(const SamplingPlan&, const Latents& noise);

/// x0 with noise at a level: where image to image starts (at = plan.start()), and what inpainting
/// blends with. At a final point beyond the last step this is x0.
Latents add_noise(const Latents& x0, const Latents& noise, const Point& at);

/// The network's raw output (guided) for its input, already scaled, at a timestep.
using Network = std::function<Latents(const Latents& input, double timestep)>;

struct RunOptions {
  NoiseSource noise;
  /// After each step; may replace x. For 4-channel inpainting: x = (1 - m) add_noise(init, noise,
  /// info.next) + m x.
  StepHook after_step = {};
  std::stop_token stop = {};
  double s_noise = 1;
  Churn churn = {};
  /// CFG++ samplers: the raw unconditional output of the network's last call.
  std::function<Latents()> unconditional_output = {};
};

/// Runs the plan from x. Throws Cancelled.
Latents run(const SamplingPlan&, const Network&, Latents x, const RunOptions&);

}  // namespace mezzo::sampling
