#include "sampling/parameterization.h"

#include <cmath>

namespace mezzo::sampling {
namespace {

constexpr double kEdmSigmaData = 0.5;

/// x0 = skip * x + out * output.
struct Preconditioning {
  double skip, out;
};

Preconditioning preconditioning(Prediction prediction, const Point& p) {
  // With c = 1/hypot(alpha, sigma) the pair (c alpha, c sigma) is variance preserving, and c x is
  // its state.
  const double c = input_scale(prediction, p);
  switch (prediction) {
    case Prediction::kEpsilon:
      return {1 / p.alpha, -p.sigma / p.alpha};
    case Prediction::kV:
      return {c * c * p.alpha, -c * p.sigma};
    case Prediction::kSample:
      return {0, 1};
    case Prediction::kFlow:
      return {1, -p.sigma};
    case Prediction::kEdm:
      return {kEdmSigmaData * kEdmSigmaData * c * c, p.sigma * kEdmSigmaData * c};
  }
  return {0, 1};
}

}  // namespace

double input_scale(Prediction prediction, const Point& p) {
  if (prediction == Prediction::kFlow) return 1;
  if (prediction == Prediction::kEdm) return 1 / std::hypot(p.sigma, kEdmSigmaData);
  return 1 / std::hypot(p.alpha, p.sigma);
}

Latents to_x0(Prediction prediction, const Latents& output, const Latents& x, const Point& p) {
  const auto [skip, out] = preconditioning(prediction, p);
  if (skip == 0) return out * output;
  return (out * output).add(skip, x);
}

Latents to_output(Prediction prediction, const Latents& x0, const Latents& x, const Point& p) {
  const auto [skip, out] = preconditioning(prediction, p);
  return (Latents(x0).add(-skip, x)) / out;
}

Latents to_epsilon(const Latents& x0, const Latents& x, const Point& p) {
  return Latents(x).add(-p.alpha, x0) / p.sigma;
}

}  // namespace mezzo::sampling
