// UniPC: Zhao et al. 2023 (arXiv:2302.04867), multistep with B(h) = h (bh1) or e^h - 1 (bh2): a
// predictor, and a corrector that uses the next prediction to improve the step before it.
#include <algorithm>
#include <cmath>

#include "sampling/samplers/samplers.h"
#include "sampling/samplers/step.h"

namespace mezzo::sampling {
namespace {

/// One step of both updates: from points[i] to points[i + 1], with the predictions up to points[i].
class Update {
 public:
  Update(const Schedule& s, std::size_t i, int order, const History& predictions, bool bh1,
         bool noise)
      : order_(static_cast<std::size_t>(order)), m_(predictions) {
    const Point &at = s.points[i], &to = s.points[i + 1];
    const double h = to.lambda() - at.lambda();
    const double hh = noise ? h : -h;
    b_h_ = bh1 ? hh : std::expm1(hh);
    phi1_ = std::expm1(hh);
    keep_ = noise ? to.alpha / at.alpha : to.sigma / at.sigma;
    scale_ = noise ? to.sigma : to.alpha;
    for (std::size_t k = 1; k < order_; ++k)
      r_.push_back((s.points[i - k].lambda() - at.lambda()) / h);
    r_.push_back(1);
    double phi_k = phi1_ / hh - 1, factorial = 1;
    for (std::size_t k = 1; k <= order_; ++k) {
      rhs_.push_back(phi_k * factorial / b_h_);
      factorial *= static_cast<double>(k + 1);
      phi_k = phi_k / hh - 1 / factorial;
    }
  }

  Latents predict(const Latents& x) const {
    Latents next = first_order(x);
    if (order_ == 2) next.add(-scale_ * b_h_ * 0.5, difference(1));
    if (order_ > 2) {
      const auto rho = weights(order_ - 1);
      for (std::size_t k = 1; k < order_; ++k) next.add(-scale_ * b_h_ * rho[k - 1], difference(k));
    }
    return next;
  }

  /// `newest`: the prediction at the end of the step.
  Latents correct(const Latents& x, const Latents& newest) const {
    const auto rho = order_ == 1 ? std::vector<double>{0.5} : weights(order_);
    Latents next = first_order(x);
    for (std::size_t k = 1; k < order_; ++k) next.add(-scale_ * b_h_ * rho[k - 1], difference(k));
    return next.add(-scale_ * b_h_ * rho[order_ - 1], newest - m_[0]);
  }

 private:
  Latents first_order(const Latents& x) const { return (keep_ * x).add(-scale_ * phi1_, m_[0]); }
  Latents difference(std::size_t k) const { return (m_[k] - m_[0]) / r_[k - 1]; }

  /// Solves sum_j r_j^(k-1) rho_j = rhs_k for the first n of each.
  std::vector<double> weights(std::size_t n) const {
    std::vector<std::vector<double>> powers;
    for (std::size_t k = 0; k < n; ++k) {
      std::vector<double> row;
      for (std::size_t j = 0; j < n; ++j) row.push_back(std::pow(r_[j], static_cast<double>(k)));
      powers.push_back(std::move(row));
    }
    return solve(std::move(powers), {rhs_.begin(), rhs_.begin() + static_cast<std::ptrdiff_t>(n)});
  }

  std::size_t order_;
  const History& m_;
  double b_h_ = 0, phi1_ = 0, keep_ = 0, scale_ = 0;
  std::vector<double> r_, rhs_;
};

}  // namespace

Latents sample_unipc(const Denoiser& denoise, Latents x, const Schedule& s,
                     const SamplerOptions& o) {
  const int highest = o.order.value_or(2);
  const bool bh1 = o.solver == SolverType::kBh1;
  History predictions(static_cast<std::size_t>(highest));
  Latents before;
  int last_order = 0;
  for (std::size_t i = 0; i < s.steps(); ++i) {
    const Latents x0 = denoise(x, s.points[i]);
    Latents m = o.predict_noise ? to_epsilon(x0, x, s.points[i]) : x0;
    const auto& off = o.disable_corrector;
    const int previous = static_cast<int>(s.skipped() + i) - 1;
    if (i > 0 && std::find(off.begin(), off.end(), previous) == off.end())
      x = Update(s, i - 1, last_order, predictions, bh1, o.predict_noise).correct(before, m);
    predictions.push(std::move(m));
    before = x;
    last_order = std::min(highest, static_cast<int>(predictions.size()));
    const auto left = static_cast<int>(s.steps() - i);
    if (o.lower_order_final) last_order = std::min(last_order, left);
    const Point& to = s.points[i + 1];
    if (to.sigma == 0 && !o.predict_noise && last_order == 1) {
      x = to.alpha * x0;
    } else if (to.sigma != s.points[i].sigma) {
      x = Update(s, i, last_order, predictions, bh1, o.predict_noise).predict(x);
    }
    finish_step(o, s, i, x0, x);
  }
  return x;
}

Latents sample_unipc_sigma(const Denoiser& denoise, Latents x, const Schedule& s,
                           const SamplerOptions& o) {
  constexpr double kLastSigma = 0.001;  // stands for 0, which has no lambda
  constexpr int kHighestOrder = 3;
  const auto scale = [](const Point& p) { return 1 / std::hypot(p.alpha, p.sigma); };
  Schedule vp = s;
  vp.space = Space::kVariancePreserving;
  if (vp.points.back().sigma == 0) vp.points.back().sigma = kLastSigma;
  std::vector<double> scales;
  for (Point& p : vp.points) {
    scales.push_back(scale(p));
    p.alpha *= scales.back();
    p.sigma *= scales.back();
  }
  x *= scales[0];
  const int order = std::min(o.order.value_or(kHighestOrder), static_cast<int>(s.steps()) - 1);
  if (order < 1)
    return x / vp.points.back().alpha;  // one step is none: the reference does the same
  SamplerOptions inner = o;
  inner.order = order;
  inner.lower_order_final = true;
  std::size_t call = 0;
  const Denoiser scaled = [&](const Latents& state, const Point&) {
    const std::size_t i = call++;
    return denoise(state / scales[i], s.points[i]);
  };
  if (o.after_step)
    inner.after_step = [&](const StepInfo& info, Latents& state) {
      const double c = scales[info.step + 1];
      state *= 1 / c;
      o.after_step({info.step, info.total, s.points[info.step], s.points[info.step + 1], info.x0},
                   state);
      state *= c;
    };
  return sample_unipc(scaled, std::move(x), vp, inner) / vp.points.back().alpha;
}

}  // namespace mezzo::sampling
