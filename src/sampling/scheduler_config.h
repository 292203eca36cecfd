// A diffusers scheduler_config.json: which scheduler, and the fields that were written down. Fields
// that are not there take the default of the scheduler they are used with, so that a configuration
// can be carried to another scheduler (diffusers' from_config).
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "sampling/noise_table.h"
#include "sampling/options.h"

namespace mezzo::sampling {

enum class Spacing { kLeading, kTrailing, kLinspace };

/// How a diffusers scheduler makes its timesteps and in which space it works.
enum class Family {
  kTable,   // variance preserving, at entries of the table: DDIM, DDPM, PNDM
  kOrigin,  // the same, at entries of a distilled model's own grid: LCM, TCD
  kSigma,   // variance exploding: Euler, Heun, DPM2, LMS ...
  kLambda,  // variance preserving by sigma, one more step than asked for: DPM-Solver++, UniPC, DEIS
            // ...
  kFlow,    // flow matching
  kIpndm,
  kEdm,
};

/// A row of the table of diffusers schedulers.
struct SchedulerClass {
  std::string_view name;
  Family family;
  Sampler sample;
  Spacing spacing;  // default
  double beta_start = 0.0001, beta_end = 0.02;
  std::string_view beta_schedule = "linear";
  bool rounds_karras = false;  // timesteps of Karras sigmas are rounded
  bool ends_at_last = false;   // DEIS, SA-Solver: on the smallest sigma and not on 0
};

class SchedulerConfig {
 public:
  /// Stable Diffusion 1's: PNDM, scaled_linear, leading, steps_offset 1.
  SchedulerConfig();
  /// From the file's text already parsed. Throws LoadError when it is not an object or names an
  /// unknown scheduler.
  explicit SchedulerConfig(nlohmann::json fields);

  /// The same fields for another scheduler. Throws LoadError when it is unknown.
  SchedulerConfig for_class(std::string_view class_name) const;

  const SchedulerClass& scheduler() const { return *class_; }
  const nlohmann::json& fields() const { return fields_; }

  // The value of a field, or `fallback` where it is missing or null. Throws LoadError for a wrong
  // type.
  double number(const char* name, double fallback) const;
  int integer(const char* name, int fallback) const;
  bool flag(const char* name, bool fallback) const;
  std::string text(const char* name, const std::string& fallback) const;

  Spacing spacing() const;
  /// Whether spacing() decides which timesteps are visited.
  bool follows_spacing() const;
  Prediction prediction() const;
  bool is_flow() const;
  int train_steps() const;
  /// The shift of flow sigmas ("shift" or "flow_shift").
  double shift() const;
  BetaSchedule betas() const;
  /// The model's levels of noise, every sigma finite.
  NoiseTable table() const;
  /// Those of its betas, also for a flow model. `finite`: with diffusers' stand-in for the infinite
  /// sigma of zero terminal SNR.
  NoiseTable beta_table(bool finite) const;

 private:
  const nlohmann::json* find(const char* name) const;

  nlohmann::json fields_;
  const SchedulerClass* class_;
};

/// nullptr when there is none.
const SchedulerClass* find_scheduler_class(std::string_view name);

}  // namespace mezzo::sampling
