// The state of a sampler: the latents of a whole batch as one flat array of doubles, with the
// arithmetic that samplers are written in. Latents are small beside the networks, so double costs
// nothing and keeps long runs exact.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace mezzo::sampling {

class Latents {
 public:
  Latents() = default;
  explicit Latents(std::vector<double> values) : values_(std::move(values)) {}
  /// n zeros.
  static Latents zeros(std::size_t n) { return Latents(std::vector<double>(n)); }
  static Latents from_floats(std::span<const float> values) {
    return Latents(std::vector<double>(values.begin(), values.end()));
  }
  std::vector<float> to_floats() const { return {values_.begin(), values_.end()}; }

  std::size_t size() const { return values_.size(); }
  double& operator[](std::size_t i) { return values_[i]; }
  double operator[](std::size_t i) const { return values_[i]; }
  std::span<double> values() { return values_; }
  std::span<const double> values() const { return values_; }

  Latents& operator+=(const Latents& b);
  Latents& operator-=(const Latents& b);
  Latents& operator*=(double k);
  /// *this += k * b
  Latents& add(double k, const Latents& b);

 private:
  std::vector<double> values_;
};

// The left operand is taken by value, so that a chain of operations works in one buffer.
inline Latents operator+(Latents a, const Latents& b) { return std::move(a += b); }
inline Latents operator-(Latents a, const Latents& b) { return std::move(a -= b); }
inline Latents operator*(double k, Latents a) { return std::move(a *= k); }
inline Latents operator/(Latents a, double k) { return std::move(a *= 1 / k); }

/// Every value limited to [-range, range].
Latents clamp(Latents a, double range);

}  // namespace mezzo::sampling
