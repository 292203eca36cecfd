#include "sampling/sampler.h"

#include <cmath>

#include "base/error.h"
#include "sampling/names.h"
#include "sampling/samplers/samplers.h"

namespace mezzo::sampling {
namespace {

constexpr int kMostSteps = 10000;

/// A sampler of the registry on a schedule over the model's own levels of noise.
SamplingPlan plan_by_schedule(const SchedulerConfig& config, const PlanRequest& r,
                              const SamplerInfo& sampler, const ScheduleInfo& schedule) {
  if (!r.spacing.empty())
    fail<UsageError>("spacing: schedule {} has none to choose; leave out one of them",
                     schedule.name);
  SamplingPlan p;
  p.sampler = sampler.name;
  p.schedule = schedule.name;
  p.sample = sampler.sample;
  p.needs_unconditional = sampler.needs_unconditional;
  p.follows_path = sampler.noise == Noise::kPath;
  p.table = config.table();
  p.prediction = p.table.is_flow() ? Prediction::kFlow : config.prediction();
  const auto sigmas =
      schedule.sigmas({p.table, r.steps, p.table.sigma_min(), p.table.sigma_max(), r.convention});
  p.points = Schedule::from_sigmas(p.table.space(), sigmas);
  for (Point& point : p.points.points) point.t = p.table.t_of_sigma(point.sigma);
  p.points.flow_sigma_limit = p.table.sigma_at_percent(1e-4);
  p.points.sigma_at_20_percent = p.table.sigma_at_percent(0.2);
  p.points.sigma_at_80_percent = p.table.sigma_at_percent(0.8);
  if (sampler.form == Form::kSigma) p.points = p.points.as_variance_exploding();
  // Unit noise plus an image of zeros, as k-diffusion starts.
  p.init_noise_sigma = p.table.is_flow() ? 1 : p.start().sigma;
  skip_steps(p.points, static_cast<int>(p.points.steps()), r.strength);
  p.options.eta = r.eta;
  return p;
}

SamplingPlan plan_by_config(const SchedulerConfig& config, const PlanRequest& r) {
  if (!r.spacing.empty() && !config.follows_spacing())
    fail<UsageError>("spacing: {} has none to choose; leave it out", config.scheduler().name);
  DiffusersRun run = diffusers_run(config, {r.steps, r.strength, r.eta, r.mu});
  SamplingPlan p;
  p.sampler = config.scheduler().name;
  p.schedule = "model";
  p.sample = config.scheduler().sample;
  if (const SamplerInfo* row = find_sampler(p.sampler)) p.follows_path = row->noise == Noise::kPath;
  // Stochastic sampling of a flow model jumps to x0 and adds fresh noise, as LCM does.
  const bool flow = config.scheduler().family == Family::kFlow;
  if (flow && config.flag("stochastic_sampling", false)) p.sample = sample_lcm;
  p.takes_churn = !flow;
  p.points = std::move(run.schedule);
  p.options = std::move(run.options);
  p.prediction = config.prediction();
  p.table = config.table();
  p.init_noise_sigma = run.init_noise_sigma;
  if (r.eta && p.options.eta.value_or(1) != 0) p.options.eta = r.eta;
  return p;
}

/// The configuration that runs this sampler with the fields of the model's, or nothing.
std::optional<SchedulerConfig> config_for(const SchedulerConfig& config, const SamplerInfo& s) {
  if (config.table().is_flow()) {
    // Flow matching has schedulers of its own.
    if (s.name == "euler") return config.for_class("FlowMatchEulerDiscreteScheduler");
    if (s.name == "heun") return config.for_class("FlowMatchHeunDiscreteScheduler");
    return std::nullopt;
  }
  if (s.diffusers_class.empty()) return std::nullopt;
  return config.for_class(s.diffusers_class);
}

}  // namespace

double SamplingPlan::timestep(const Point& at) const {
  if (!std::isnan(at.t)) return at.t;
  return table.t_of_sigma(prediction == Prediction::kFlow ? at.sigma : at.rho());
}

std::vector<double> SamplingPlan::timesteps() const {
  std::vector<double> t;
  for (std::size_t i = 0; i < points.steps(); ++i) t.push_back(timestep(points.points[i]));
  return t;
}

namespace {

SamplingPlan choose_plan(const SchedulerConfig& config, const PlanRequest& r) {
  if (r.steps < 1 || r.steps > kMostSteps)
    fail<UsageError>("steps is {}, expected 1 to {}", r.steps, kMostSteps);
  if (!(r.strength > 0 && r.strength <= 1))
    fail<UsageError>("strength is {}, expected more than 0 and at most 1", r.strength);
  std::string schedule = r.schedule == "model" ? "" : r.schedule;
  if (r.sampler.empty() && schedule.empty()) return plan_by_config(config, r);
  // A schedule alone: the model's sampler, by the row of the registry that stands for it.
  SamplerChoice choice =
      choose_sampler(r.sampler.empty() ? std::string(config.scheduler().name) : r.sampler);
  if (schedule.empty()) schedule = choice.schedule;
  if (plain_name(schedule) == "automatic") schedule = choice.sampler->default_schedule;
  if (schedule.empty()) {
    if (r.sampler == config.scheduler().name) return plan_by_config(config, r);
    if (const auto other = config_for(config, *choice.sampler)) return plan_by_config(*other, r);
    schedule = config.table().is_flow() ? "simple" : "normal";
  }
  return plan_by_schedule(config, r, *choice.sampler, choose_schedule(schedule));
}

}  // namespace

SamplingPlan plan(const SchedulerConfig& config, const PlanRequest& r) {
  nlohmann::json fields = config.fields();
  if (!r.spacing.empty()) fields["timestep_spacing"] = r.spacing;
  SamplingPlan p = choose_plan(SchedulerConfig(std::move(fields)), r);
  if (p.steps() == 0)
    fail<UsageError>("schedule {} makes nothing of {} steps; ask for more steps", p.schedule,
                     r.steps);
  for (const Point& point : p.points.points)
    if (!std::isfinite(point.sigma) || !std::isfinite(point.alpha))
      fail<UsageError>(
          "sampler {} with schedule {} has a level of noise that is not finite for this model; "
          "choose another schedule",
          p.sampler, p.schedule);
  return p;
}

Latents from_noise(const SamplingPlan& p, const Latents& noise) {
  return p.init_noise_sigma * noise;
}

Latents add_noise(const Latents& x0, const Latents& noise, const Point& at) {
  return (at.alpha * x0).add(at.sigma, noise);
}

Latents run(const SamplingPlan& p, const Network& network, Latents x, const RunOptions& r) {
  if (p.needs_unconditional && !r.unconditional_output)
    fail<UsageError>("{} needs guidance: set a guidance scale above 1", p.sampler);
  SamplerOptions o = p.options;
  o.prediction = p.prediction;
  o.noise = r.noise;
  o.after_step = r.after_step;
  o.stop = r.stop;
  o.s_noise = r.s_noise;
  if (p.takes_churn) o.churn = r.churn;
  o.churn.after_prediction = p.options.churn.after_prediction;
  Latents unconditional;
  const Denoiser denoise = [&](const Latents& state, const Point& at) {
    if (r.stop.stop_requested()) fail<Cancelled>("cancelled");
    const Latents output = network(input_scale(p.prediction, at) * state, p.timestep(at));
    if (p.needs_unconditional)
      unconditional = to_x0(p.prediction, r.unconditional_output(), state, at);
    return to_x0(p.prediction, output, state, at);
  };
  o.unconditional_x0 = [&]() -> const Latents& { return unconditional; };
  return p.sample(denoise, std::move(x), p.points, o);
}

}  // namespace mezzo::sampling
