#include "sampling/sampler.h"

#include <cmath>

#include <gtest/gtest.h>

#include "mezzotint/errors.h"

namespace mezzo::sampling {
namespace {

const Latents kNoise({0.3, -1.2, 0.8, 2.1}), kImage({1, -0.5, 0.25, 0});

Latents half(const Latents& input, double) { return 0.5 * input; }

TEST(Plan, ModelsOwnScheduler) {
  const SamplingPlan p = plan(SchedulerConfig(), {.steps = 10});
  EXPECT_EQ(p.sampler, "PNDMScheduler");
  // The second call of PLMS makes the first step again.
  EXPECT_EQ(p.timesteps(),
            (std::vector<double>{901, 801, 801, 701, 601, 501, 401, 301, 201, 101, 1}));
  EXPECT_EQ(p.init_noise_sigma, 1);
}

TEST(Plan, OtherSamplerWithTheModelsFields) {
  const SamplingPlan p =
      plan(SchedulerConfig(), {.sampler = "Euler a", .spacing = "leading", .steps = 4});
  EXPECT_EQ(p.sampler, "EulerAncestralDiscreteScheduler");
  EXPECT_EQ(p.timesteps(), (std::vector<double>{751, 501, 251, 1}));
  EXPECT_NEAR(p.init_noise_sigma, std::hypot(p.start().sigma, 1), 1e-12);
}

TEST(Plan, NamedSchedule) {
  const SamplingPlan p = plan(SchedulerConfig(), {.sampler = "DPM++ 2M Karras", .steps = 12});
  EXPECT_EQ(p.sampler, "dpmpp_2m");
  EXPECT_EQ(p.schedule, "karras");
  EXPECT_EQ(p.steps(), 12u);
  EXPECT_NEAR(p.start().sigma, 14.6146, 1e-3);
  EXPECT_NEAR(p.start().t, 999, 1e-6);
}

TEST(Plan, FlowModels) {
  const SchedulerConfig sd3({{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {"shift", 3.0}});
  EXPECT_EQ(plan(sd3, {}).sampler, "FlowMatchEulerDiscreteScheduler");
  for (const char* name :
       {"euler", "euler_a", "dpmpp_2m", "heun", "dpmpp_2m_sde", "unipc", "ddim"}) {
    SCOPED_TRACE(name);
    const SamplingPlan p = plan(sd3, {.sampler = name, .steps = 8});
    EXPECT_EQ(p.prediction, Prediction::kFlow);
    RunOptions options;
    options.noise = [](double, double) { return kNoise; };
    const Latents out = run(p, half, from_noise(p, kNoise), options);
    for (double v : out.values()) EXPECT_TRUE(std::isfinite(v));
  }
}

TEST(Plan, EverySamplerRunsOnEveryModel) {
  const SchedulerConfig sd1,
      v({{"_class_name", "DDIMScheduler"},
         {"prediction_type", "v_prediction"},
         {"beta_schedule", "scaled_linear"},
         {"beta_start", 0.00085},
         {"beta_end", 0.012}}),
      zero_snr({{"_class_name", "DDIMScheduler"},
                {"prediction_type", "v_prediction"},
                {"rescale_betas_zero_snr", true},
                {"timestep_spacing", "trailing"}}),
      flow({{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {"shift", 3.0}});
  RunOptions options;
  options.noise = [](double, double) { return kNoise; };
  options.unconditional_output = [] { return 0.4 * kNoise; };
  for (const SchedulerConfig* config : {&sd1, &v, &zero_snr, &flow})
    for (const SamplerInfo& s : samplers())
      for (const char* schedule : {"model", "karras", "automatic", "normal"}) {
        SCOPED_TRACE(std::string(s.name) + " " + schedule + " for " +
                     std::string(config->scheduler().name));
        const SamplingPlan p =
            plan(*config, {.sampler = std::string(s.name), .schedule = schedule, .steps = 6});
        const Latents out = run(p, half, from_noise(p, kNoise), options);
        for (double value : out.values()) EXPECT_TRUE(std::isfinite(value));
      }
}

TEST(Plan, StrengthLeavesTheLastSteps) {
  const SamplingPlan p =
      plan(SchedulerConfig(), {.sampler = "ddim", .steps = 10, .strength = 0.35});
  EXPECT_EQ(p.timesteps(), (std::vector<double>{201, 101, 1}));
  EXPECT_THROW(plan(SchedulerConfig(), {.steps = 10, .strength = 0.05}), UsageError);
}

TEST(Plan, EveryScheduleIsFiniteForEveryModel) {
  const SchedulerConfig zero_snr(
      {{"_class_name", "DDIMScheduler"}, {"rescale_betas_zero_snr", true}});
  for (const ScheduleInfo& s : schedules()) {
    SCOPED_TRACE(s.name);
    const auto p = plan(zero_snr, {.sampler = "euler", .schedule = std::string(s.name)});
    EXPECT_LT(p.start().sigma, 1e4);
    EXPECT_GT(p.steps(), 10u);
  }
}

TEST(Plan, SpacingIsFollowedOrRefused) {
  EXPECT_NE(plan(SchedulerConfig(), {.sampler = "ddim", .spacing = "trailing"}).timesteps(),
            plan(SchedulerConfig(), {.sampler = "ddim"}).timesteps());
  EXPECT_THROW(
      plan(SchedulerConfig(), {.sampler = "ddim", .schedule = "karras", .spacing = "trailing"}),
      UsageError);
  EXPECT_THROW(plan(SchedulerConfig(), {.sampler = "dpmpp_2s", .spacing = "trailing"}), UsageError);
  EXPECT_THROW(plan(SchedulerConfig(), {.sampler = "restart", .spacing = "trailing"}), UsageError);
}

TEST(Plan, SdeSolversFollowOnePath) {
  EXPECT_TRUE(plan(SchedulerConfig(), {.sampler = "dpmpp_2m_sde"}).follows_path);
  EXPECT_TRUE(plan(SchedulerConfig(), {.sampler = "dpmpp_sde"}).follows_path);
  EXPECT_FALSE(plan(SchedulerConfig(), {.sampler = "euler_a"}).follows_path);
}

TEST(Plan, Refuses) {
  EXPECT_THROW(plan(SchedulerConfig(), {.sampler = "euler", .schedule = "laplace", .steps = 1}),
               UsageError);
  EXPECT_THROW(plan(SchedulerConfig(), {.steps = 0}), UsageError);
  EXPECT_THROW(plan(SchedulerConfig(), {.steps = 2000}), UsageError);
  EXPECT_THROW(plan(SchedulerConfig(), {.strength = 0}), UsageError);
  EXPECT_THROW(plan(SchedulerConfig(), {.sampler = "euler", .schedule = "nonsense"}), UsageError);
  EXPECT_THROW(plan(SchedulerConfig(), {.sampler = "nonsense"}), UsageError);
}

TEST(Run, InpaintingKeepsWhatIsNotMasked) {
  const SamplingPlan p = plan(SchedulerConfig(), {.sampler = "ddim", .steps = 5});
  const std::vector<double> mask = {1, 0, 1, 0};
  RunOptions options;
  options.after_step = [&](const StepInfo& info, Latents& x) {
    // At the end of the run the unmasked part is the image itself.
    const Latents kept =
        info.step + 1 == info.total ? kImage : add_noise(kImage, kNoise, info.next);
    for (std::size_t i = 0; i < mask.size(); ++i) x[i] = mask[i] * x[i] + (1 - mask[i]) * kept[i];
  };
  const Latents out = run(p, half, from_noise(p, kNoise), options);
  EXPECT_EQ(out[1], kImage[1]);
  EXPECT_EQ(out[3], kImage[3]);
  EXPECT_NE(out[0], kImage[0]);
}

TEST(Run, CfgPpNeedsGuidance) {
  const SamplingPlan p = plan(SchedulerConfig(), {.sampler = "euler_cfg_pp", .steps = 3});
  EXPECT_THROW(run(p, half, from_noise(p, kNoise), {}), UsageError);
}

TEST(Run, Cancelled) {
  const SamplingPlan p = plan(SchedulerConfig(), {.steps = 3});
  std::stop_source stop;
  stop.request_stop();
  RunOptions options;
  options.stop = stop.get_token();
  EXPECT_THROW(run(p, half, from_noise(p, kNoise), options), mezzo::Cancelled);
}

}  // namespace
}  // namespace mezzo::sampling
