// The schedulers of the recorded pipeline runs (goldens/pipelines/runs): their timesteps, where
// they start, and the steps whose network output was recorded.
#include "base/json.h"
#include "golden/sampling_golden.h"
#include "sampling/sampler.h"

namespace mezzo::sampling::golden {
namespace {

using Values = std::vector<double>;

/// The recorded run being replayed.
struct Replay {
  const json& run;
  const SafetensorsFile& tensors;
  SamplingPlan plan;

  Latents latents(const std::string& name) const { return Latents(tensors.values(name)); }

  /// Draws that the scheduler made, in order.
  std::vector<std::string> scheduler_draws() const {
    std::vector<std::string> names;
    for (const json& draw : run["random_draws_in_order"])
      if (draw["drawn_by"].get<std::string>().starts_with("scheduling"))
        names.push_back(draw["tensor"]);
    return names;
  }
};

double spread_of(const Latents& x) {
  double most = 0;
  for (double v : x.values()) most = std::max(most, std::abs(v));
  return most;
}

/// Makes all calls. The first is answered with the recorded output, and so is the last; after each
/// step the recorded state replaces ours, so that both steps start from where the reference did.
void replay_steps(const Replay& r, Tally& tally) {
  const std::string name = r.run["name"];
  const Values recorded = r.tensors.values("latents_after_step");
  const bool blended = r.run["pipeline"].get<std::string>().find("Inpaint") != std::string::npos &&
                       name.find("inpaint4") != std::string::npos;
  const bool one_step =
      r.run["scheduler"] != "PNDMScheduler" && r.run["scheduler"] != "DPMSolverMultistepScheduler";
  const auto draws = r.scheduler_draws();
  std::size_t calls = 0, drawn = 0;
  const Network network = [&](const Latents& input, double) {
    ++calls;
    if (calls == 1) return r.latents("step.first.noise_pred");
    if (calls == r.plan.steps()) return r.latents("step.last.noise_pred");
    return Latents::zeros(input.size());
  };
  RunOptions options;
  options.noise = [&](double, double) { return r.latents(draws.at(drawn++)); };
  options.after_step = [&](const StepInfo& info, Latents& x) {
    const bool known = info.step == 0 || (one_step && info.step + 1 == info.total);
    if (known && !blended) {
      const double scale = std::max(1.0, spread_of(x));
      tally.add(distance(x, recorded, info.step) / scale, 1e-5,
                name + " step " + std::to_string(info.step));
    }
    x = rows(recorded, info.step, x.size());
  };
  run(r.plan, network, r.latents("step.first.sample"), options);
  EXPECT_EQ(calls, r.run["step_timesteps"].size());
}

TEST(SamplingRunsGolden, TimestepsAndSteps) {
  const auto folders = test::golden_paths("pipelines/runs");
  if (folders.empty()) GTEST_SKIP() << "no recorded pipeline runs";
  Tally tally{"steps of pipeline runs"};
  for (const auto& folder : folders)
    for (const auto& entry : test::fs::directory_iterator(folder)) {
      if (entry.path().extension() != ".json") continue;
      const json run = read_json_file(entry.path());
      const SafetensorsFile tensors(test::fs::path(entry.path()).replace_extension(".safetensors"));
      SCOPED_TRACE(entry.path().string());
      json fields = run["scheduler_config"];
      fields["_class_name"] = run["scheduler"];
      PlanRequest request;
      request.steps = run["steps"];
      if (run.contains("strength") && !run["strength"].is_null())
        request.strength = run["strength"];
      if (run.contains("eta") && !run["eta"].is_null()) request.eta = run["eta"].get<double>();
      const Replay replay{run, tensors, plan(SchedulerConfig(fields), request)};
      const auto expected = run["step_timesteps"].get<Values>();
      const auto got = replay.plan.timesteps();
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-4);
      replay_steps(replay, tally);
    }
  EXPECT_GT(tally.passed, 0);
}

}  // namespace
}  // namespace mezzo::sampling::golden
