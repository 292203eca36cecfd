// Writing q4_k: eight sub-blocks of 32 values, each q * scale - min with q in 0..15. For each
// sub-block several step widths are tried; for each, scale and min follow by least squares. The
// layout is that of blocks.cpp.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "tensor/blocks.h"
#include "tensor/half.h"

namespace mezzo {
namespace {

constexpr int kSubBlocks = 8, kValues = 32;
constexpr float kTop = 15, kTopScale = 63;

struct Line {  // x is about q * scale - min
  float scale = 0, min = 0;
};

float finite(float x) { return std::isfinite(x) ? x : 0; }

// q = (x + min) / scale to the nearest code.
int nearest(float x, float min, float inverse_scale) {
  return static_cast<int>(std::clamp((x + min) * inverse_scale + 0.5f, 0.0f, kTop));
}

// Scale and min with the least squared error for codes that steps of 1 / inverse_scale give.
Line fit(const float* x, float low, float inverse_scale) {
  float sum_q = 0, sum_qq = 0, sum_x = 0, sum_qx = 0;
  for (int i = 0; i < kValues; ++i) {
    const auto q = static_cast<float>(nearest(x[i], -low, inverse_scale));
    sum_q += q, sum_qq += q * q, sum_x += x[i], sum_qx += q * x[i];
  }
  constexpr float n = kValues;
  const float determinant = n * sum_qq - sum_q * sum_q;
  Line line;
  if (determinant > 0) {
    line.scale = (n * sum_qx - sum_q * sum_x) / determinant;
    line.min = (sum_q * sum_qx - sum_qq * sum_x) / determinant;
  }
  if (line.min < 0) {  // the format subtracts only
    line.min = 0;
    line.scale = sum_qq > 0 ? sum_qx / sum_qq : 0;
  }
  return {std::max(line.scale, 0.0f), line.min};
}

float squared_error(const float* x, const Line& line) {
  const float inverse = line.scale > 0 ? 1 / line.scale : 0;
  float sum = 0;
  for (int i = 0; i < kValues; ++i) {
    const auto q = static_cast<float>(nearest(x[i], line.min, inverse));
    const float e = q * line.scale - line.min - x[i];
    sum += e * e;
  }
  return sum;
}

Line best_line(const float* x) {
  const auto [least, most] = std::minmax_element(x, x + kValues);
  const float low = std::min(*least, 0.0f), high = *most;
  if (!(high > low)) return {0, -low};
  constexpr int kTries = 9;
  Line best = {(high - low) / kTop, -low};
  float error = squared_error(x, best);
  for (int i = 0; i < kTries; ++i) {
    const float steps = kTop - 1 + 0.25f * static_cast<float>(i);
    const Line line = fit(x, low, steps / (high - low));
    if (const float e = squared_error(x, line); e < error) best = line, error = e;
  }
  return best;
}

// Eight six-bit (scale, min) pairs in 12 bytes.
void put_pairs(const std::array<int, kSubBlocks>& scale, const std::array<int, kSubBlocks>& min,
               std::uint8_t* p) {
  std::memset(p, 0, 12);
  for (std::size_t j = 0; j < 4; ++j) {
    p[j] = static_cast<std::uint8_t>(scale[j] | (scale[j + 4] >> 4) << 6);
    p[j + 4] = static_cast<std::uint8_t>(min[j] | (min[j + 4] >> 4) << 6);
    p[j + 8] = static_cast<std::uint8_t>((scale[j + 4] & 15) | (min[j + 4] & 15) << 4);
  }
}

}  // namespace

void encode_q4_k(const float* in, std::uint8_t* block) {
  std::array<float, kSubBlocks * kValues> x;
  std::transform(in, in + x.size(), x.begin(), finite);
  std::array<Line, kSubBlocks> lines;
  Line most;
  for (std::size_t j = 0; j < kSubBlocks; ++j) {
    lines[j] = best_line(x.data() + j * kValues);
    most.scale = std::max(most.scale, lines[j].scale);
    most.min = std::max(most.min, lines[j].min);
  }
  const std::uint16_t d_bits = f16_from_float(most.scale / kTopScale),
                      dmin_bits = f16_from_float(most.min / kTopScale);
  const float d = float_from_f16(d_bits), dmin = float_from_f16(dmin_bits);
  const auto sixth = [](float v, float unit) {
    return unit > 0 ? static_cast<int>(std::clamp(v / unit + 0.5f, 0.0f, kTopScale)) : 0;
  };
  std::array<int, kSubBlocks> scale, min;
  std::memset(block + 16, 0, 128);
  for (std::size_t j = 0; j < kSubBlocks; ++j) {
    scale[j] = sixth(lines[j].scale, d);
    min[j] = sixth(lines[j].min, dmin);
    const float s = d * static_cast<float>(scale[j]), m = dmin * static_cast<float>(min[j]);
    const float inverse = s > 0 ? 1 / s : 0;
    std::uint8_t* q = block + 16 + kValues * (j / 2);
    for (std::size_t i = 0; i < kValues; ++i)
      q[i] = static_cast<std::uint8_t>(q[i] | nearest(x[j * kValues + i], m, inverse)
                                                  << (j % 2 ? 4 : 0));
  }
  std::memcpy(block, &d_bits, 2);
  std::memcpy(block + 2, &dmin_bits, 2);
  put_pairs(scale, min, block + 4);
}

}  // namespace mezzo
