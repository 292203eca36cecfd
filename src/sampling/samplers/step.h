// Pieces that samplers are made of.
#pragma once

#include "sampling/options.h"

namespace mezzo::sampling {

/// Ends step i: throws Cancelled when asked to stop, and lets the caller look at x, or replace it.
void finish_step(const SamplerOptions&, const Schedule&, std::size_t i, const Latents& x0,
                 Latents& x);

/// The state with the same x0 and the same noise as x, at another level: one Euler step of the
/// probability flow ODE, which is also one DDIM step (Song et al. 2020, arXiv:2010.02502, eq. 12
/// with sigma_t = 0).
Latents transfer(const Latents& x, const Latents& x0, const Point& from, const Point& to);

/// The same for a known noise and not a known x0.
Latents transfer_noise(const Latents& x, const Latents& epsilon, const Point& from,
                       const Point& to);

/// dx/dsigma of the probability flow ODE in variance-exploding and in flow space.
Latents derivative(const Latents& x, const Latents& x0, double sigma);

/// A stochastic step to `to`: go to `down`, multiply by `rescale`, add `up` times unit noise.
struct AncestralStep {
  Point down;
  double rescale = 1;
  double up = 0;
};
/// eta = 1 keeps the marginal distribution of DDPM (Ho et al. 2020); eta = 0 is deterministic. In
/// flow space `down` is chosen as ComfyUI does, by the ratio of the sigmas.
AncestralStep ancestral_step(Space, const Point& from, const Point& to, double eta);

/// Adds the noise of an ancestral step, drawing it only where some is added.
void add_step_noise(Latents& x, const AncestralStep&, double sigma_from, double sigma_to,
                    const SamplerOptions&);

/// Raises x to a higher level of noise before step i (Karras et al. 2022, Algorithm 2) and returns
/// that level. `gamma` is 0 where nothing was added.
struct Churned {
  Point at;
  double gamma = 0;
};
Churned churn(Latents& x, const Schedule&, std::size_t i, const SamplerOptions&);

/// The noise source, or InternalError: the caller of a stochastic sampler forgot it.
Latents draw_noise(const SamplerOptions&, double sigma_from, double sigma_to);

/// The order of step i of a multistep solver: no higher than the predictions it has and, where the
/// options say so, lower at the end of a short run (diffusers' lower_order_final).
int order_of_step(const SamplerOptions&, const Schedule&, std::size_t i, int highest,
                  std::size_t predictions);

/// Newest first; keeps the last `limit` predictions of a multistep method.
class History {
 public:
  explicit History(std::size_t limit) : limit_(limit) {}
  void push(Latents v);
  std::size_t size() const { return values_.size(); }
  /// 0 is the newest.
  const Latents& operator[](std::size_t age) const { return values_[values_.size() - 1 - age]; }

 private:
  std::size_t limit_;
  std::vector<Latents> values_;
};

/// Coefficients c_j, so that the integral from a to b of the polynomial through (nodes[j], y_j) is
/// sum c_j y_j. Exact for up to 8 nodes.
std::vector<double> lagrange_integrals(const std::vector<double>& nodes, double a, double b);

/// Solves a small dense system a x = b (Gauss with pivoting). a is row by row.
std::vector<double> solve(std::vector<std::vector<double>> a, std::vector<double> b);

}  // namespace mezzo::sampling
