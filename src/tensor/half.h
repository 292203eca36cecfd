// Single values of the 16-bit and 8-bit floating point types: exact, rounding to nearest even, on
// any machine.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace mezzo {

/// |x| as a float of `E` exponent and `M` mantissa bits, IEEE style with subnormals, not yet
/// limited at the top: the caller decides what the codes from its infinity on mean. x must not be
/// NaN.
template <int E, int M>
std::uint32_t round_magnitude(std::uint32_t bits) {
  constexpr int kBias = (1 << (E - 1)) - 1;
  bits &= 0x7fffffffu;
  if (bits < static_cast<std::uint32_t>(127 - kBias + 1) << 23) {  // becomes subnormal or zero
    const float scaled = std::bit_cast<float>(bits) * std::ldexp(1.0f, kBias - 1 + M);
    return static_cast<std::uint32_t>(std::nearbyint(scaled));
  }
  constexpr int kDrop = 23 - M;
  bits += ((1u << (kDrop - 1)) - 1) + ((bits >> kDrop) & 1);
  return (bits >> kDrop) - (static_cast<std::uint32_t>(127 - kBias) << M);
}

inline std::uint16_t f16_from_float(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000)  // NaN: quiet, the payload's upper bits kept, as the processor does
    return static_cast<std::uint16_t>(sign | 0x7e00 | ((magnitude >> 13) & 0x1ff));
  const std::uint32_t r = magnitude >= 0x47800000 ? 0x7c00 : round_magnitude<5, 10>(bits);
  return static_cast<std::uint16_t>(sign | r);
}

inline float float_from_f16(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000) << 16;
  const std::uint32_t exponent = (h >> 10) & 31, mantissa = h & 0x3ff;
  if (exponent == 31)
    return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13 | (mantissa ? 0x400000u : 0u));
  if (exponent == 0) {
    const float x = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -x : x;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

inline std::uint16_t bf16_from_float(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline float float_from_bf16(std::uint16_t h) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(h) << 16);
}

/// E4M3 has no infinity: what exceeds 448, infinity too, becomes +-448, as PyTorch 2.15 does; NaN
/// is the code 0x7f.
inline std::uint8_t f8_e4m3_from_float(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = (bits >> 24) & 0x80, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<std::uint8_t>(sign | 0x7f);
  const std::uint32_t r =
      magnitude >= 0x43e00000 ? 0x7e : round_magnitude<4, 3>(bits);  // 448 and more
  return static_cast<std::uint8_t>(sign | r);
}

inline std::uint8_t f8_e5m2_from_float(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = (bits >> 24) & 0x80, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<std::uint8_t>(sign | 0x7f);
  const std::uint32_t r = magnitude >= 0x47800000 ? 0x7c : round_magnitude<5, 2>(bits);
  return static_cast<std::uint8_t>(sign | r);
}

inline float float_from_f8_e5m2(std::uint8_t b) {
  return float_from_f16(static_cast<std::uint16_t>(b << 8));
}

inline float float_from_f8_e4m3(std::uint8_t b) {
  const int exponent = (b >> 3) & 15, mantissa = b & 7;
  float x = 0;
  if ((b & 0x7f) == 0x7f)
    x = std::bit_cast<float>(0x7fc00000u);
  else if (exponent == 0)
    x = static_cast<float>(mantissa) * 0x1p-9f;
  else
    x = std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return b & 0x80 ? -x : x;
}

}  // namespace mezzo
