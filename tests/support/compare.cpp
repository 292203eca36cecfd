#include "support/compare.h"

#include <cmath>
#include <cstdint>
#include <limits>

namespace mezzo::test {

double error_over_std(std::span<const float> actual, std::span<const double> expected) {
  if (actual.size() != expected.size() || actual.empty())
    return std::numeric_limits<double>::infinity();
  double sum = 0, squares = 0, worst = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double difference = std::abs(static_cast<double>(actual[i]) - expected[i]);
    if (!std::isfinite(difference)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, difference);
    sum += expected[i];
    squares += expected[i] * expected[i];
  }
  const double n = static_cast<double>(actual.size()), mean = sum / n;
  return worst / std::sqrt(std::max(squares / n - mean * mean, 1e-30));
}

std::vector<float> nchw_to_nhwc(std::span<const double> x, std::span<const std::int64_t> s) {
  std::vector<float> out(x.size());
  std::size_t i = 0;
  for (std::int64_t b = 0; b < s[0]; ++b)
    for (std::int64_t c = 0; c < s[1]; ++c)
      for (std::int64_t p = 0; p < s[2] * s[3]; ++p)
        out[static_cast<std::size_t>((b * s[2] * s[3] + p) * s[1] + c)] =
            static_cast<float>(x[i++]);
  return out;
}

std::vector<double> nhwc_to_nchw(std::span<const float> x, std::span<const std::int64_t> s) {
  std::vector<double> out(x.size());
  std::size_t i = 0;
  for (std::int64_t b = 0; b < s[0]; ++b)
    for (std::int64_t c = 0; c < s[1]; ++c)
      for (std::int64_t p = 0; p < s[2] * s[3]; ++p)
        out[i++] =
            static_cast<double>(x[static_cast<std::size_t>((b * s[2] * s[3] + p) * s[1] + c)]);
  return out;
}

}  // namespace mezzo::test
