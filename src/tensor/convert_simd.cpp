#include "tensor/convert_simd.h"

#include <cstring>

#include "tensor/half.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/convert_simd.cpp"
#include "hwy/foreach_target.h"  // compiles this file once for every instruction set
#include "hwy/highway.h"

// Highway's own emulation of float16 truncates; where the processor lacks the instruction, the
// exact scalar code runs.
#undef MEZZO_HAS_F16
#if HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
#define MEZZO_HAS_F16 0
#else
#define MEZZO_HAS_F16 1
#endif

HWY_BEFORE_NAMESPACE();
namespace mezzo {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

std::uint16_t bits_at(const std::byte* p, std::size_t i) {
  std::uint16_t h;
  std::memcpy(&h, p + 2 * i, 2);
  return h;
}

void F16ToFloat(const std::byte* in, std::size_t n, float* out) {
  std::size_t i = 0;
#if MEZZO_HAS_F16
  const hn::ScalableTag<float> df;
  const hn::Rebind<hwy::float16_t, decltype(df)> dh;
  const hn::Rebind<std::uint16_t, decltype(df)> du;
  const auto p = reinterpret_cast<const std::uint16_t*>(in);
  for (; i + hn::Lanes(df) <= n; i += hn::Lanes(df))
    hn::StoreU(hn::PromoteTo(df, hn::BitCast(dh, hn::LoadU(du, p + i))), df, out + i);
#endif
  for (; i < n; ++i) out[i] = float_from_f16(bits_at(in, i));
}

void FloatToF16(const float* in, std::size_t n, std::byte* out) {
  std::size_t i = 0;
#if MEZZO_HAS_F16
  const hn::ScalableTag<float> df;
  const hn::Rebind<hwy::float16_t, decltype(df)> dh;
  const hn::Rebind<std::uint16_t, decltype(df)> du;
  const auto p = reinterpret_cast<std::uint16_t*>(out);
  for (; i + hn::Lanes(df) <= n; i += hn::Lanes(df))
    hn::StoreU(hn::BitCast(du, hn::DemoteTo(dh, hn::LoadU(df, in + i))), du, p + i);
#endif
  for (; i < n; ++i) {
    const std::uint16_t h = f16_from_float(in[i]);
    std::memcpy(out + 2 * i, &h, 2);
  }
}

void Bf16ToFloat(const std::byte* in, std::size_t n, float* out) {
  const hn::ScalableTag<std::uint32_t> d;
  const hn::Rebind<std::uint16_t, decltype(d)> dh;
  const hn::RebindToFloat<decltype(d)> df;
  const auto p = reinterpret_cast<const std::uint16_t*>(in);
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    const auto v = hn::ShiftLeft<16>(hn::PromoteTo(d, hn::LoadU(dh, p + i)));
    hn::StoreU(hn::BitCast(df, v), df, out + i);
  }
  for (; i < n; ++i) out[i] = float_from_bf16(bits_at(in, i));
}

void FloatToBf16(const float* in, std::size_t n, std::byte* out) {
  const hn::ScalableTag<std::uint32_t> d;
  const hn::Rebind<std::uint16_t, decltype(d)> dh;
  const auto bits = reinterpret_cast<const std::uint32_t*>(in);
  const auto p = reinterpret_cast<std::uint16_t*>(out);
  std::size_t i = 0;
  for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
    const auto v = hn::LoadU(d, bits + i);
    const auto nan = hn::Gt(hn::And(v, hn::Set(d, 0x7fffffffu)), hn::Set(d, 0x7f800000u));
    const auto odd = hn::And(hn::ShiftRight<16>(v), hn::Set(d, 1u));
    const auto rounded = hn::ShiftRight<16>(hn::Add(v, hn::Add(odd, hn::Set(d, 0x7fffu))));
    const auto quiet = hn::Or(hn::ShiftRight<16>(v), hn::Set(d, 0x40u));
    hn::StoreU(hn::TruncateTo(dh, hn::IfThenElse(nan, quiet, rounded)), dh, p + i);
  }
  for (; i < n; ++i) {
    const std::uint16_t h = bf16_from_float(in[i]);
    std::memcpy(out + 2 * i, &h, 2);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mezzo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mezzo {
HWY_EXPORT(F16ToFloat);
HWY_EXPORT(FloatToF16);
HWY_EXPORT(Bf16ToFloat);
HWY_EXPORT(FloatToBf16);

void f16_to_float(const std::byte* in, std::int64_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(F16ToFloat)(in, static_cast<std::size_t>(n), out);
}
void float_to_f16(const float* in, std::int64_t n, std::byte* out) {
  HWY_DYNAMIC_DISPATCH(FloatToF16)(in, static_cast<std::size_t>(n), out);
}
void bf16_to_float(const std::byte* in, std::int64_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(Bf16ToFloat)(in, static_cast<std::size_t>(n), out);
}
void float_to_bf16(const float* in, std::int64_t n, std::byte* out) {
  HWY_DYNAMIC_DISPATCH(FloatToBf16)(in, static_cast<std::size_t>(n), out);
}
}  // namespace mezzo
#endif  // HWY_ONCE
