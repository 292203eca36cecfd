// What every sampler is given beside the latents and the schedule. Nothing here is global: noise,
// progress and cancellation all arrive as functions.
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "sampling/latents.h"
#include "sampling/parameterization.h"
#include "sampling/schedule.h"

namespace mezzo::sampling {

/// Predicts x0 from x at a level of noise.
using Denoiser = std::function<Latents(const Latents& x, const Point& at)>;

/// Unit normal noise for a step from one sigma to a lower one.
using NoiseSource = std::function<Latents(double sigma_from, double sigma_to)>;

/// Called after each step.
struct StepInfo {
  std::size_t step;   // from 0
  std::size_t total;  // steps of the schedule
  Point at, next;     // the levels before and after
  const Latents& x0;  // the prediction the step was made with
};
/// May replace the latents (inpainting does).
using StepHook = std::function<void(const StepInfo&, Latents& x)>;

/// Karras et al. 2022, Algorithm 2: noise added before a step of a deterministic sampler.
struct Churn {
  double s_churn = 0;
  double s_tmin = 0;
  double s_tmax = std::numeric_limits<double>::infinity();
  /// diffusers' order: the network sees the state before the noise is added.
  bool after_prediction = false;
};

enum class SolverType { kDefault, kMidpoint, kHeun, kBh1, kBh2 };

struct SamplerOptions {
  /// Amount of noise: 0 none, 1 all. Unset: the sampler's own (DDIM 0, ancestral and SDE samplers
  /// 1).
  std::optional<double> eta;
  double s_noise = 1;
  Churn churn;
  /// Highest order of a multistep sampler, or stages of ER-SDE. Unset: the sampler's own.
  std::optional<int> order;
  SolverType solver = SolverType::kDefault;
  /// Where the second call of DPM++ SDE lies between two steps, in lambda.
  double midpoint = 0.5;
  /// Limits the predicted x0 to this range (DDIM, DDPM, LCM: "clip_sample").
  std::optional<double> clip_x0;

  // diffusers' multistep solvers.
  bool lower_order_final = false;
  bool euler_at_final = false;
  bool predict_noise =
      false;  // solve for the noise and not for x0 (DPM-Solver and not DPM-Solver++)
  bool diffusers_third_order_sde =
      false;                           // its third-order SDE term has another sign than the paper's
  std::vector<int> disable_corrector;  // UniPC steps
  std::vector<int> step_orders;        // DPM++ singlestep: the order of each call
  bool large_variance = false;         // DDPM: beta as the variance
  /// LCM: factor of t in the boundary condition of consistency models; 0 leaves it out.
  double boundary_timestep_scaling = 0;
  /// SA-Solver: the strength of the noise at a point. Unset: 1 between 20 and 80 percent of the
  /// run.
  std::function<double(const Point&)> tau;
  /// SA-Solver: corrector order and the paper's simpler second order.
  std::optional<int> corrector_order;
  bool simple_second_order = false;

  /// What the network predicts: only PNDM and CFG++ care.
  Prediction prediction = Prediction::kEpsilon;

  NoiseSource noise;
  /// The unconditional x0 of the denoiser's last call: only CFG++ samplers ask.
  std::function<const Latents&()> unconditional_x0;
  StepHook after_step;
  std::stop_token stop;
};

/// The shape of every sampler: returns the latents at the end of the schedule. Throws Cancelled.
using Sampler = Latents (*)(const Denoiser&, Latents x, const Schedule&, const SamplerOptions&);

}  // namespace mezzo::sampling
