#include "sampling/latents.h"

#include <algorithm>

#include "base/error.h"

namespace mezzo::sampling {

Latents& Latents::operator+=(const Latents& b) { return add(1, b); }

Latents& Latents::operator-=(const Latents& b) { return add(-1, b); }

Latents& Latents::operator*=(double k) {
  for (double& v : values_) v *= k;
  return *this;
}

Latents& Latents::add(double k, const Latents& b) {
  check(size() == b.size(), "latents of different sizes are added");
  for (std::size_t i = 0; i < values_.size(); ++i) values_[i] += k * b.values_[i];
  return *this;
}

Latents clamp(Latents a, double range) {
  for (double& v : a.values()) v = std::clamp(v, -range, range);
  return a;
}

}  // namespace mezzo::sampling
