// Integer arithmetic that refuses to overflow: for every size, count or offset that came from a
// file or a request.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "base/error.h"

namespace mezzo {

/// a * b, or nothing when the product does not fit.
template <std::integral T>
std::optional<T> checked_mul(T a, T b) {
  T r;
  if (__builtin_mul_overflow(a, b, &r)) return std::nullopt;
  return r;
}

/// a + b, or nothing when the sum does not fit.
template <std::integral T>
std::optional<T> checked_add(T a, T b) {
  T r;
  if (__builtin_add_overflow(a, b, &r)) return std::nullopt;
  return r;
}

/// Product of dimensions, each >= 0, or nothing when one is negative or the product does not fit in
/// int64.
inline std::optional<std::int64_t> checked_product(std::span<const std::int64_t> dims) {
  std::int64_t n = 1;
  bool empty = false;
  for (auto d : dims) {
    if (d < 0) return std::nullopt;
    if (d == 0) {
      empty = true;
      continue;
    }
    auto r = checked_mul(n, d);
    if (!r) return std::nullopt;
    n = *r;
  }
  return empty ? 0 : n;
}

/// v as T; throws InternalError when it does not fit (for values that were validated before).
template <std::integral T, std::integral S>
T narrow(S v) {
  if (!std::in_range<T>(v)) fail<InternalError>("number {} does not fit", v);
  return static_cast<T>(v);
}

/// ceil(a / b) for a >= 0, b > 0.
template <std::integral T>
constexpr T ceil_div(T a, T b) {
  return a / b + (a % b != 0);
}

/// The smallest multiple of b that is >= a, for a >= 0, b > 0.
template <std::integral T>
constexpr T round_up(T a, T b) {
  return ceil_div(a, b) * b;
}

}  // namespace mezzo
