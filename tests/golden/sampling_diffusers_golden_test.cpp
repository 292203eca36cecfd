// Every trajectory of goldens/sampling/diffusers.json, through the plans that pipelines make.
#include "golden/sampling_golden.h"
#include "mezzotint/errors.h"
#include "sampling/sampler.h"

namespace mezzo::sampling::golden {
namespace {

// ---- diffusers ----

/// The toy network of the README, section 2.
Latents toy_network(const Latents& u, double t, double period) {
  const double shift = 0.05 * std::cos(t / period);
  return map(u, [&](double v) { return 0.8 * v + 0.1 * std::sin(3 * v) + shift; });
}

double largest(const Latents& x) {
  double most = 0;
  for (double v : x.values()) most = std::max(most, std::abs(v));
  return most;
}

std::string name_of(const json& run) {
  return run.value("tensor", run["name"].get<std::string>() + "." + run["steps"].dump());
}

void check_diffusers_run(const json& run, const Folder& folder, NoiseRows& noise, Tally& tally) {
  const std::string name = name_of(run), scheduler = run["scheduler"];
  if (run.contains("error")) {
    ++tally.errors;
    return;
  }
  if (find_scheduler_class(scheduler) == nullptr) {
    ++tally.missing;
    tally.missing_names.insert(scheduler);
    return;
  }
  json fields = run["config"];
  fields["_class_name"] = scheduler;
  PlanRequest request;
  request.steps = run["steps"];
  request.strength = run.value("strength", 1.0);
  const json step = run.value("step", json()).is_object() ? run["step"] : json::object();
  if (step.contains("eta")) request.eta = step["eta"];
  if (const json set = run.value("set", json()); set.is_object() && set.contains("mu"))
    request.mu = set["mu"];
  const SamplingPlan plan = sampling::plan(SchedulerConfig(fields), request);

  RunOptions options;
  const SamplerOptions given = options_of(step);
  options.s_noise = given.s_noise;
  options.churn = given.churn;
  const double period = plan.prediction == Prediction::kEdm ? 1 : 100;
  const auto steps_recorded = folder.tensors.values(name);
  const Latents unit(folder.tensors.values("x")), image(folder.tensors.values("x0"));
  const Latents start = run.contains("strength") && !run["strength"].is_null()
                            ? add_noise(image, unit, plan.start())
                            : from_noise(plan, unit);
  // The closed form of DEIS of order 3 cancels in the reference's float32, in its float64 run too.
  const bool cancels =
      scheduler == "DEISMultistepScheduler" && fields.value("solver_order", 2) == 3;
  const double tolerance =
      (cancels ? 2 : 1) * std::max(1e-5 * std::max(1.0, run["max_abs"].get<double>()),
                                   10 * run["f32_minus_f64"].get<double>());

  // Each state that a network call was made at, and the timesteps of the calls.
  std::vector<Latents> states;
  std::vector<double> timesteps;
  SamplerOptions o = plan.options;
  o.s_noise = given.s_noise;
  if (plan.takes_churn) o.churn = given.churn;
  o.churn.after_prediction = plan.options.churn.after_prediction;
  o.prediction = plan.prediction;
  o.noise = noise.source();
  const Denoiser denoise = [&](const Latents& x, const Point& at) {
    states.push_back(x);
    const double sigma = plan.prediction == Prediction::kFlow ? at.sigma : at.rho();
    timesteps.push_back(std::isnan(at.t) ? plan.table.t_of_sigma(sigma) : at.t);
    return to_x0(plan.prediction,
                 toy_network(input_scale(plan.prediction, at) * x, timesteps.back(), period), x,
                 at);
  };
  states.push_back(plan.sample(denoise, start, plan.points, o));
  const auto recorded_timesteps = run["timesteps"].get<std::vector<double>>();
  double error = states.size() * start.size() == steps_recorded.size() ? 0 : INFINITY;
  for (std::size_t row = 0; error < INFINITY && row < states.size(); ++row) {
    // The reference keeps its samples in float32: a row has the rounding of the row before, however
    // small it is.
    const double before =
        1.2e-7 * std::max(largest(states[row]), largest(states[row == 0 ? 0 : row - 1]));
    error = std::max(error, std::max(0.0, distance(states[row], steps_recorded, row) - before));
  }
  EXPECT_EQ(timesteps.size(), recorded_timesteps.size()) << name;
  for (std::size_t i = 0; i < std::min(timesteps.size(), recorded_timesteps.size()); ++i)
    EXPECT_NEAR(timesteps[i], recorded_timesteps[i], 2e-4 + 1e-5 * std::abs(recorded_timesteps[i]))
        << name << " call " << i;

  // The same through the door that pipelines use.
  options.noise = noise.source();
  const Latents result = sampling::run(
      plan, [&](const Latents& u, double t) { return toy_network(u, t, period); }, start, options);
  EXPECT_EQ(distance(result, {states.back().values().begin(), states.back().values().end()}, 0), 0)
      << name;
  tally.add(error, tolerance, name);
}

TEST(SamplingGolden, Diffusers) {
  for_each_copy("sampling/diffusers.json", [](const Folder& folder) {
    Tally tally{"diffusers runs"};
    NoiseRows noise(folder.tensors.values("noise"), folder.tensors.values("x").size());
    for (const json& run : folder.index["runs"]) {
      try {
        check_diffusers_run(run, folder, noise, tally);
      } catch (const Error& e) {
        ADD_FAILURE() << name_of(run) << ": " << e.what();
        ++tally.failed;
      }
    }
    EXPECT_GT(tally.passed, 0);
  });
}

}  // namespace
}  // namespace mezzo::sampling::golden
