#include "tensor/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "tensor/blocks.h"
#include "tensor/blocks_simd.h"
#include "tensor/convert_simd.h"
#include "tensor/half.h"

namespace mezzo {
namespace {

// in/out hold elements of type T, at any alignment; convert turns one into the other.
template <class T, class Convert>
void each_to_float(const std::byte* in, std::int64_t n, float* out, Convert convert) {
  for (std::int64_t i = 0; i < n; ++i, in += sizeof(T)) {
    T v;
    std::memcpy(&v, in, sizeof(T));
    out[i] = convert(v);
  }
}

template <class T, class Convert>
void each_from_float(const float* in, std::int64_t n, std::byte* out, Convert convert) {
  for (std::int64_t i = 0; i < n; ++i, out += sizeof(T)) {
    const T v = convert(in[i]);
    std::memcpy(out, &v, sizeof(T));
  }
}

template <class T>
float number(T v) {
  return static_cast<float>(v);
}

// To the nearest integer, the limits of T for what lies beyond them, 0 for NaN.
template <class T>
T saturated(float x) {
  using Limits = std::numeric_limits<T>;
  if (std::isnan(x)) return 0;
  const double r = std::nearbyint(static_cast<double>(x));
  if (r <= static_cast<double>(Limits::min())) return Limits::min();
  if (r >= static_cast<double>(Limits::max())) return Limits::max();  // for 64 bits: 2^63, 2^64
  return static_cast<T>(r);
}

// Calls f with a value of the C++ type of an integer dtype.
template <class F>
void with_integer(DType t, F f) {
  switch (t) {
    case DType::kI8:
      return f(std::int8_t{});
    case DType::kU8:
      return f(std::uint8_t{});
    case DType::kI16:
      return f(std::int16_t{});
    case DType::kU16:
      return f(std::uint16_t{});
    case DType::kI32:
      return f(std::int32_t{});
    case DType::kU32:
      return f(std::uint32_t{});
    case DType::kI64:
      return f(std::int64_t{});
    case DType::kU64:
      return f(std::uint64_t{});
    default:
      fail<InternalError>("no integer type: {}", name(t));
  }
}

}  // namespace

void to_float(DType t, const std::byte* in, std::int64_t n, float* out) {
  check(byte_size(t, n).has_value(), "values come in whole blocks");
  if (n == 0) return;
  switch (t) {
    case DType::kF32:
      std::memcpy(out, in, static_cast<std::size_t>(n) * sizeof(float));
      return;
    case DType::kF16:
      return f16_to_float(in, n, out);
    case DType::kBF16:
      return bf16_to_float(in, n, out);
    case DType::kF64:
      return each_to_float<double>(in, n, out, number<double>);
    case DType::kF8E4M3:
    case DType::kF8E5M2:
      return each_to_float<std::uint8_t>(
          in, n, out, [&values = float8_values(t)](std::uint8_t v) { return values[v]; });
    case DType::kBool:
      return each_to_float<std::uint8_t>(in, n, out,
                                         [](std::uint8_t v) { return v ? 1.0f : 0.0f; });
    default:
      break;
  }
  if (is_quantized(t)) {
    const std::int64_t blocks = n / info(t).block;
    if (!expand_blocks(t, in, blocks, out)) decode_blocks(t, in, blocks, out);
    return;
  }
  with_integer(t, [&](auto zero) {
    using T = decltype(zero);
    each_to_float<T>(in, n, out, number<T>);
  });
}

void from_float(DType t, const float* in, std::int64_t n, std::byte* out) {
  check(byte_size(t, n).has_value(), "values come in whole blocks");
  if (n == 0) return;
  switch (t) {
    case DType::kF32:
      std::memcpy(out, in, static_cast<std::size_t>(n) * sizeof(float));
      return;
    case DType::kF16:
      return float_to_f16(in, n, out);
    case DType::kBF16:
      return float_to_bf16(in, n, out);
    case DType::kF64:
      return each_from_float<double>(in, n, out, [](float v) { return double{v}; });
    case DType::kF8E4M3:
      return each_from_float<std::uint8_t>(in, n, out, f8_e4m3_from_float);
    case DType::kF8E5M2:
      return each_from_float<std::uint8_t>(in, n, out, f8_e5m2_from_float);
    case DType::kBool:
      return each_from_float<std::uint8_t>(in, n, out,
                                           [](float v) -> std::uint8_t { return v != 0; });
    default:
      break;
  }
  if (is_quantized(t)) {
    if (!encode_blocks(t, in, n / info(t).block, out))
      fail<UsageError>(
          "{} can be read but not written; choose f16, q8_0, q5_1, q5_0, q4_k, q4_1, q4_0 or nf4",
          name(t));
    return;
  }
  with_integer(t, [&](auto zero) {
    using T = decltype(zero);
    each_from_float<T>(in, n, out, saturated<T>);
  });
}

Tensor cast(const Tensor& x, DType t) {
  if (x.dtype() == t) return x;
  check(x.contiguous(), "cast() needs a contiguous tensor");
  Tensor out(host(), t, x.shape());
  const auto in = static_cast<const std::byte*>(x.raw());
  const auto to = static_cast<std::byte*>(out.raw());
  const std::int64_t n = x.numel();
  if (t == DType::kF32) {
    to_float(x.dtype(), in, n, out.data<float>());
  } else if (x.dtype() == DType::kF32) {
    from_float(t, x.data<float>(), n, to);
  } else {  // through a buffer that stays in the cache
    constexpr std::int64_t kChunk = 8192;
    std::vector<float> buffer(static_cast<std::size_t>(std::min(n, kChunk)));
    for (std::int64_t i = 0; i < n; i += kChunk) {
      const std::int64_t m = std::min(kChunk, n - i);
      to_float(x.dtype(), in + *byte_size(x.dtype(), i), m, buffer.data());
      from_float(t, buffer.data(), m, to + *byte_size(t, i));
    }
  }
  return out;
}

}  // namespace mezzo
