// The timesteps and sigmas that a diffusers scheduler makes of its configuration, and the options
// its step() implies.
#pragma once

#include <optional>

#include "sampling/scheduler_config.h"

namespace mezzo::sampling {

struct DiffusersRequest {
  int steps;
  /// Share of the steps that are made, the last ones (image to image); 1 makes all.
  double strength = 1;
  /// TCD's schedule depends on it.
  std::optional<double> eta = {};
  /// Of flow schedulers with dynamic shifting.
  std::optional<double> mu = {};
};

struct DiffusersRun {
  Schedule schedule;
  SamplerOptions options;
  double init_noise_sigma = 1;
};

/// Throws UsageError when the scheduler cannot run in so many steps, LoadError when a field of the
/// configuration is impossible.
DiffusersRun diffusers_run(const SchedulerConfig&, const DiffusersRequest&);

/// Leaves the last int(steps * strength) of the steps. Throws UsageError when that is none.
void skip_steps(Schedule&, int steps, double strength);

}  // namespace mezzo::sampling
