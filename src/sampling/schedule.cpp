#include "sampling/schedule.h"

namespace mezzo::sampling {

Point Schedule::point(Space space, double sigma, double t) {
  switch (space) {
    case Space::kVarianceExploding:
      return {1, sigma, t};
    case Space::kVariancePreserving: {
      const double alpha = 1 / std::sqrt(1 + sigma * sigma);
      return {alpha, sigma * alpha, t};
    }
    case Space::kFlow:
      return {1 - sigma, sigma, t};
  }
  return {1, sigma, t};
}

Point Schedule::at_lambda(double lambda) const {
  if (space == Space::kFlow) return point(space, 1 / (1 + std::exp(lambda)));
  return point(space, std::exp(-lambda));
}

Schedule Schedule::from_sigmas(Space space, const std::vector<double>& sigmas) {
  Schedule s;
  s.space = space;
  for (double sigma : sigmas) s.points.push_back(point(space, sigma));
  return s;
}

Schedule Schedule::as_variance_exploding() const {
  Schedule s = *this;
  s.space = Space::kVarianceExploding;
  for (auto* list : {&s.points, &s.sources, &s.targets})
    for (Point& p : *list) p.alpha = 1;
  return s;
}

Schedule Schedule::with_finite_lambda() const {
  Schedule s = *this;
  if (space != Space::kFlow || s.points.empty() || s.points[0].sigma < 1) return s;
  s.points[0].alpha = 1 - flow_sigma_limit;
  s.points[0].sigma = flow_sigma_limit;
  s.points[0].t = std::numeric_limits<double>::quiet_NaN();
  return s;
}

}  // namespace mezzo::sampling
