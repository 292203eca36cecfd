// The noise levels that a model was trained on, and how timesteps and sigmas map to each other.
// Discrete tables: Ho et al. 2020 (arXiv:2006.11239) and Stable Diffusion's "scaled_linear"; zero
// terminal SNR: Lin et al. 2023 (arXiv:2305.08891). Flow: sigma = shift t / (1 + (shift - 1) t),
// Esser et al. 2024 (arXiv:2403.03206).
#pragma once

#include <string>
#include <vector>

#include "sampling/schedule.h"

namespace mezzo::sampling {

struct BetaSchedule {
  std::string name = "linear";  // linear, scaled_linear, squaredcos_cap_v2, sigmoid, laplace, exp
  double start = 0.0001, end = 0.02;
  int steps = 1000;
  std::vector<double> trained;  // used as they are when not empty
  bool zero_terminal_snr = false;
};

/// Cumulative products of 1 - beta in float arithmetic, as the reference implementations keep them:
/// values agree with theirs to the last bits. Throws LoadError for an unknown name or an impossible
/// number of steps.
std::vector<double> alphas_cumprod(const BetaSchedule&);

class NoiseTable {
 public:
  NoiseTable() = default;  // empty: to be assigned
  /// `alphas_cumprod` falls, each in [0, 1]. An alpha of 0 (zero terminal SNR) has an infinite
  /// sigma.
  static NoiseTable discrete(std::vector<double> alphas_cumprod);
  static NoiseTable flow(double shift, int steps = 1000);

  bool is_flow() const { return flow_; }
  Space space() const { return flow_ ? Space::kFlow : Space::kVarianceExploding; }
  /// Rising, one for each trained step. Of a discrete table: sqrt((1 - a) / a).
  const std::vector<double>& sigmas() const { return sigmas_; }
  const std::vector<double>& alphas_cumprod() const { return alphas_cumprod_; }
  int steps() const { return static_cast<int>(sigmas_.size()); }
  double sigma_min() const { return sigmas_.front(); }
  double sigma_max() const { return sigmas_.back(); }

  /// The timestep of a sigma: linear between the logarithms of the table; sigma * steps for flow
  /// models.
  double t_of_sigma(double sigma) const;
  /// Its inverse (k-diffusion and ComfyUI). For flow models t is unshifted: ComfyUI's "timestep"
  /// shifts.
  double sigma_of_t(double t) const;
  /// Linear between the sigmas of the table (diffusers).
  double sigma_between(double t) const;
  /// Sigma at a share of the run, 0 at its start (ComfyUI's percent_to_sigma).
  double sigma_at_percent(double percent) const;

 private:
  bool flow_ = false;
  double shift_ = 1;
  std::vector<double> alphas_cumprod_, sigmas_, log_sigmas_;
};

}  // namespace mezzo::sampling
