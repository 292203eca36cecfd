// Noise schedules by name: the sigmas that a run goes through, as k-diffusion, A1111 and ComfyUI
// choose them. Karras et al. 2022 (arXiv:2206.00364); Align Your Steps: Sabour et al. 2024
// (arXiv:2404.14507); GITS: Chen et al. 2024 (arXiv:2405.11326); beta: Lee et al. 2024
// (arXiv:2407.12173); Laplace: Hang et al. 2024 (arXiv:2407.03297).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sampling/noise_table.h"

namespace mezzo::sampling {

/// Programs that mean different numbers by the same schedule name (kl_optimal, beta,
/// align_your_steps).
enum class Convention { kA1111, kComfyUi };

struct ScheduleRequest {
  const NoiseTable& table;
  int steps;  // at least 1
  double sigma_min, sigma_max;
  Convention convention = Convention::kA1111;
};

/// A row of the table of schedules.
struct ScheduleInfo {
  std::string_view name;     // "sgm_uniform"
  std::string_view display;  // "SGM Uniform"
  std::vector<std::string_view> aliases;
  /// Falling sigmas; most end in 0. Some return more or fewer than steps + 1 of them.
  std::vector<double> (*sigmas)(const ScheduleRequest&);
};
std::span<const ScheduleInfo> schedules();

/// The row with this name or alias, whatever the case; nullptr when there is none.
const ScheduleInfo* find_schedule(std::string_view name);
/// The same; throws UsageError naming the nearest.
const ScheduleInfo& choose_schedule(std::string_view name);

/// rho 7 is the paper's. n sigmas from high to low, then 0.
std::vector<double> karras_sigmas(int n, double sigma_min, double sigma_max, double rho = 7);

}  // namespace mezzo::sampling
