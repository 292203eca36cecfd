// Numbers against recorded numbers.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace mezzo::test {

/// max |a - b| / standard deviation of `expected`; infinite when sizes differ or a value is not
/// finite.
double error_over_std(std::span<const float> actual, std::span<const double> expected);

/// [B, C, H, W] -> [B, H, W, C] and back, for recorded activations.
std::vector<float> nchw_to_nhwc(std::span<const double> x, std::span<const std::int64_t> nchw);
std::vector<double> nhwc_to_nchw(std::span<const float> x, std::span<const std::int64_t> nchw);

}  // namespace mezzo::test
