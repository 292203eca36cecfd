// Where a sampler goes: levels of noise from the first to the last, in one notation for all
// families of models. x = alpha * x0 + sigma * noise; variance exploding (k-diffusion): alpha = 1;
// variance preserving (DDPM, diffusers): alpha^2 + sigma^2 = 1; rectified flow: alpha = 1 - sigma.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace mezzo::sampling {

enum class Space { kVarianceExploding, kVariancePreserving, kFlow };

/// One level of noise.
struct Point {
  double alpha = 1;
  double sigma = 0;
  /// What the network is told; NaN for a point that a sampler puts between those of the schedule
  /// (the denoiser then derives it from sigma).
  double t = std::numeric_limits<double>::quiet_NaN();

  /// lambda = log(alpha / sigma), half the log of the signal-to-noise ratio; infinite at sigma = 0.
  double lambda() const { return std::log(alpha) - std::log(sigma); }
  /// sigma / alpha, the noise level of the same state in variance-exploding form.
  double rho() const { return sigma / alpha; }
};

struct Schedule {
  Space space = Space::kVarianceExploding;
  /// One point for each step and then the end, usually sigma = 0.
  std::vector<Point> points;

  // Levels that the update of step i starts from and lands on, where these are not points[i] and
  // points[i + 1]: diffusers' DDIM and PNDM count a fixed number of timesteps down, whatever the
  // next timestep is.
  std::vector<Point> sources;
  std::vector<Point> targets;
  /// PNDM: so many first calls are its Runge-Kutta warm-up.
  std::size_t warm_up_calls = 0;

  /// Sigma where the given shares of the run are done, for samplers that add noise only in the
  /// middle.
  double sigma_at_20_percent = std::numeric_limits<double>::infinity();
  double sigma_at_80_percent = 0;
  /// Stands in for sigma = 1 of a flow model (infinite noise-to-signal ratio) in samplers that need
  /// its logarithm.
  double flow_sigma_limit = 0.9999;

  /// Steps of the whole run, where an image to start from skipped the first of them; 0: none were
  /// skipped.
  std::size_t full_steps = 0;

  std::size_t steps() const { return points.empty() ? 0 : points.size() - 1; }
  /// Steps that were skipped before points[0].
  std::size_t skipped() const { return full_steps > steps() ? full_steps - steps() : 0; }
  const Point& source(std::size_t i) const { return sources.empty() ? points[i] : sources[i]; }
  const Point& target(std::size_t i) const { return targets.empty() ? points[i + 1] : targets[i]; }

  /// The point with this lambda.
  Point at_lambda(double lambda) const;
  /// The point with this sigma, which in variance-preserving space is that of the
  /// variance-exploding form.
  Point at_sigma(double sigma) const { return point(space, sigma); }
  static Point point(Space space, double sigma,
                     double t = std::numeric_limits<double>::quiet_NaN());

  /// A schedule through these sigmas. Timesteps are left to the denoiser.
  static Schedule from_sigmas(Space space, const std::vector<double>& sigmas);
  /// The same with alpha = 1: how samplers written for variance-exploding models are run on flow
  /// models.
  Schedule as_variance_exploding() const;
  /// The same with a first flow sigma of 1 replaced by flow_sigma_limit.
  Schedule with_finite_lambda() const;
};

}  // namespace mezzo::sampling
