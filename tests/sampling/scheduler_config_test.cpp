#include "sampling/scheduler_config.h"

#include <gtest/gtest.h>

#include "mezzotint/errors.h"
#include "sampling/diffusers_schedule.h"

namespace mezzo::sampling {
namespace {

using nlohmann::json;

TEST(SchedulerConfig, RefusesWhatItCannotUse) {
  EXPECT_THROW(SchedulerConfig(json::array()), LoadError);
  EXPECT_THROW(SchedulerConfig(json::object()), LoadError);
  EXPECT_THROW(SchedulerConfig(json{{"_class_name", "NoSuchScheduler"}}), LoadError);
  EXPECT_THROW(SchedulerConfig(json{{"_class_name", 5}}), LoadError);
  const auto with = [](const char* field, const json& value) {
    return SchedulerConfig(json{{"_class_name", "DPMSolverMultistepScheduler"}, {field, value}});
  };
  EXPECT_THROW(with("beta_schedule", "nonsense").table(), LoadError);
  EXPECT_THROW(with("num_train_timesteps", 0).table(), LoadError);
  EXPECT_THROW(with("num_train_timesteps", 1e9).table(), LoadError);
  EXPECT_THROW(with("beta_end", "x").table(), LoadError);
  EXPECT_THROW(with("beta_end", 5).table(), LoadError);
  EXPECT_THROW(with("prediction_type", "x").prediction(), LoadError);
  EXPECT_THROW(with("timestep_spacing", "x").spacing(), LoadError);
  EXPECT_THROW(with("trained_betas", json::array({"x"})).table(), LoadError);
  EXPECT_THROW(with("trained_betas", json::array({0.1, 0.2})).table(), LoadError);
  EXPECT_THROW(diffusers_run(with("solver_type", "x"), {.steps = 5}), LoadError);
  EXPECT_THROW(diffusers_run(with("algorithm_type", "x"), {.steps = 5}), LoadError);
  EXPECT_THROW(diffusers_run(with("solver_order", 9), {.steps = 5}), LoadError);
  EXPECT_THROW(diffusers_run(with("timestep_spacing", "leading"), {.steps = 0}), UsageError);
  const SchedulerConfig far(json{{"_class_name", "DDIMScheduler"}, {"steps_offset", 100000}});
  EXPECT_THROW(diffusers_run(far, {.steps = 5}), UsageError);
}

TEST(SchedulerConfig, FieldsGoToAnotherScheduler) {
  const SchedulerConfig euler = SchedulerConfig().for_class("EulerDiscreteScheduler");
  EXPECT_EQ(euler.scheduler().name, "EulerDiscreteScheduler");
  EXPECT_EQ(euler.betas().name, "scaled_linear");
  // Not written down: the default of the scheduler it is used with.
  EXPECT_EQ(euler.spacing(), Spacing::kLinspace);
  EXPECT_EQ(SchedulerConfig().spacing(), Spacing::kLeading);
}

}  // namespace
}  // namespace mezzo::sampling
