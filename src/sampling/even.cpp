#include "sampling/even.h"

#include <cmath>

namespace mezzo::sampling {

std::vector<double> even(double a, double b, int n) {
  std::vector<double> v;
  for (int i = 0; i < n; ++i) v.push_back(i == 0 ? a : i == n - 1 ? b : a + (b - a) * i / (n - 1));
  return v;
}

std::vector<float> even_floats(float a, float b, std::size_t n) {
  if (n == 1) return {a};
  const float step = (b - a) / static_cast<float>(n - 1);
  std::vector<float> v;
  for (std::size_t i = 0; i < n; ++i)
    v.push_back(i < n / 2 ? std::fma(step, static_cast<float>(i), a)
                          : std::fma(-step, static_cast<float>(n - 1 - i), b));
  return v;
}

}  // namespace mezzo::sampling
