// What a lane of a vector multiplies in one instruction is a word of four bytes: a float32, two
// bfloat16, two 16-bit or four 8-bit integers. Highway 1.0.3 has no name for the instructions of
// AVX512-BF16 and AVX512-VNNI; where they are missing the same sums are put together from others.
// Included once per instruction set (hwy/foreach_target.h).
#if defined(MEZZO_WORDS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEZZO_WORDS_INL_H_
#undef MEZZO_WORDS_INL_H_
#else
#define MEZZO_WORDS_INL_H_
#endif

#include <cstring>

#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/kernels/vector_math-inl.h"
#include "backend/cpu/kernels/words.h"

HWY_BEFORE_NAMESPACE();
namespace mezzo::HWY_NAMESPACE {

using U32 = hn::RebindToUnsigned<F>;
using I32 = hn::RebindToSigned<F>;
using Words = hn::Vec<U32>;

/// The word at p in every lane. Read as float32, since compilers repeat other words by way of a
/// register, which takes the place of a product.
HWY_INLINE V repeat_float(const char* p) {
  float value;
  std::memcpy(&value, p, sizeof(value));
  return hn::Set(F(), value);
}
HWY_INLINE Words repeat_word(const char* p) { return hn::BitCast(U32(), repeat_float(p)); }

struct FloatDot {
  using Tag = F;
  using Value = float;
  using Sum = V;
  using Right = V;
  static HWY_INLINE V right(const std::uint32_t* p) {
    return hn::LoadU(F(), reinterpret_cast<const float*>(p));
  }
  static HWY_INLINE V left(const char* p) { return repeat_float(p); }
  static HWY_INLINE V add(V sum, V a, V b) { return hn::MulAdd(a, b, sum); }
};

// Two bfloat16 a word, the first in the lower half.
HWY_INLINE V first_of(Words p) { return hn::BitCast(F(), hn::ShiftLeft<16>(p)); }
HWY_INLINE V second_of(Words p) {
  return hn::BitCast(F(), hn::And(p, hn::Set(U32(), 0xFFFF0000u)));
}
/// x rounded to the nearest bfloat16 (ties to even), in the upper half of each lane. NaN stays NaN.
HWY_INLINE Words round_bf16(V x) {
  const U32 u;
  const auto bits = hn::BitCast(u, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(u, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(u, 0x7FFF)));
  const auto quiet = hn::Set(u, 0x7FC00000);
  return hn::BitCast(
      u, hn::IfThenElse(hn::IsNaN(x), hn::BitCast(F(), quiet), hn::BitCast(F(), rounded)));
}
/// A vector as consecutive bfloat16, or as consecutive integers 0..255, which its values are near.
HWY_INLINE void store_bf16(V x, std::uint16_t* out) {
  const auto bits = hn::ShiftRight<16>(round_bf16(x));
#if HWY_TARGET == HWY_SCALAR
  *out = static_cast<std::uint16_t>(hn::GetLane(bits));
#else
  const hn::Rebind<std::uint16_t, F> half;
  hn::StoreU(hn::TruncateTo(half, bits), half, out);
#endif
}
HWY_INLINE void store_bytes(V x, std::uint8_t* out) {
  // The sum has whole numbers in its lowest bits.
  const auto whole = hn::BitCast(U32(), hn::Add(x, hn::Set(F(), 12582912.0f)));  // 1.5 * 2^23
#if HWY_TARGET == HWY_SCALAR
  *out = static_cast<std::uint8_t>(hn::GetLane(whole));
#else
  const hn::Rebind<std::uint8_t, F> byte;
  hn::StoreU(hn::TruncateTo(byte, whole), byte, out);
#endif
}
HWY_INLINE void store_int16(V x, std::int16_t* out) {
  const auto whole = hn::NearestInt(x);
#if HWY_TARGET == HWY_SCALAR
  *out = static_cast<std::int16_t>(hn::GetLane(whole));
#else
  const hn::Rebind<std::int16_t, F> half;
  hn::StoreU(hn::DemoteTo(half, whole), half, out);
#endif
}
/// Two vectors, from their nearest integers, or what 16 bits have that is nearest to them.
HWY_INLINE void store_int16(const V (&x)[2], std::int16_t* out) {
#if HWY_TARGET == HWY_AVX3  // where a narrowing store takes two slots of one port
  const __m512i both =
      _mm512_packs_epi32(_mm512_cvtps_epi32(x[0].raw), _mm512_cvtps_epi32(x[1].raw));
  // Each 128 bits hold some of both.
  const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
  _mm512_storeu_si512(out, _mm512_permutexvar_epi64(order, both));
#else
  store_int16(x[0], out);
  store_int16(x[1], out + lanes());
#endif
}
/// What integers of 16 bits stand for (words.h), of values whose squares add up to `square`, the
/// largest of them `most`. D: of vectors, or of one value, whose root takes less time.
template <class D, class VD = hn::Vec<D>>
HWY_INLINE VD int16_scale(D f, VD square, VD most) {
  const VD by_norm = hn::Mul(hn::Sqrt(square), hn::Set(f, 1 / kernels::kInt16Norm)),
           by_most = hn::Mul(most, hn::Set(f, 1 / kernels::kInt16Most));
  // Where squares leave float32's range, or there is a NaN, as if all values were the largest.
  const auto known =
      hn::And(hn::And(hn::Gt(square, hn::Set(f, 1e-30f)), hn::Lt(square, hn::Set(f, 1e30f))),
              hn::Eq(most, most));
  constexpr float kMostRoot = 16;
  static_assert(kMostRoot * kMostRoot == kernels::kInt16Depth);
  return hn::IfThenElse(known, hn::Max(by_norm, by_most),
                        hn::Mul(most, hn::Set(f, kMostRoot / kernels::kInt16Norm)));
}
/// Four vectors of magnitudes below 2^31, from their nearest integers, or 0 and 255 where these are
/// beyond.
HWY_INLINE void store_bytes(const V (&x)[4], std::uint8_t* out) {
#if HWY_TARGET == HWY_AVX3  // where a narrowing store takes two slots of one port
  const __m512i lower =
      _mm512_packs_epi32(_mm512_cvtps_epi32(x[0].raw), _mm512_cvtps_epi32(x[1].raw));
  const __m512i upper =
      _mm512_packs_epi32(_mm512_cvtps_epi32(x[2].raw), _mm512_cvtps_epi32(x[3].raw));
  // Both put together what lies in the same 128 bits.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_si512(out, _mm512_permutexvar_epi32(order, _mm512_packus_epi16(lower, upper)));
#else
  const F f;
  for (std::int64_t i = 0; i < 4; ++i)
    store_bytes(hn::Min(hn::Max(x[i], hn::Zero(f)), hn::Set(f, 255.0f)), out + i * lanes());
#endif
}
HWY_INLINE Words pair_up(V first, V second) {
  return hn::Or(hn::ShiftRight<16>(round_bf16(first)),
                hn::And(round_bf16(second), hn::Set(U32(), 0xFFFF0000u)));
}

struct SeveralInAWord {
  using Right = Words;
  static HWY_INLINE Words right(const std::uint32_t* p) { return hn::LoadU(U32(), p); }
  static HWY_INLINE Words left(const char* p) { return repeat_word(p); }
};

/// kFast: with the instruction of AVX512-BF16.
template <bool kFast>
struct BFloat16Dot : SeveralInAWord {
  using Tag = F;
  using Value = float;
  using Sum = V;
  static HWY_INLINE V add(V sum, Words a, Words b) {
#if HWY_TARGET == HWY_AVX3
    if constexpr (kFast) {
      asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
      return sum;
    }
#endif
    return hn::MulAdd(second_of(a), second_of(b), hn::MulAdd(first_of(a), first_of(b), sum));
  }
};

struct IntegerDot : SeveralInAWord {
  using Tag = I32;
  using Value = std::int32_t;
  using Sum = hn::Vec<I32>;
};

/// Four integers a word: a without sign, b with one. kFast: with the instruction of AVX512-VNNI.
template <bool kFast>
struct Int8Dot : IntegerDot {
  static HWY_INLINE Sum add(Sum sum, Words a, Words b) {
#if HWY_TARGET == HWY_AVX3
    if constexpr (kFast) {
      asm("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
      return sum;
    }
#endif
#if HWY_TARGET == HWY_SCALAR
    const std::uint32_t x = hn::GetLane(a), y = hn::GetLane(b);
    std::int32_t total = hn::GetLane(sum);
    for (int i = 0; i < 32; i += 8)
      total += static_cast<std::uint8_t>(x >> i) * static_cast<std::int8_t>(y >> i);
    return hn::Set(I32(), total);
#else
    const hn::RepartitionToNarrow<U32> u16;
    const hn::RepartitionToNarrow<I32> i16;
    const auto even = hn::BitCast(i16, hn::And(a, hn::Set(U32(), 0x00FF00FFu))),
               odd = hn::BitCast(i16, hn::ShiftRight<8>(hn::BitCast(u16, a)));
    const auto wide = hn::BitCast(i16, b);
    const auto b_even = hn::ShiftRight<8>(hn::ShiftLeft<8>(wide)), b_odd = hn::ShiftRight<8>(wide);
#if HWY_ARCH_ARM_A64
    // Highway's sums are those of other lanes here.
    const auto lower = vmlal_s16(vmull_s16(vget_low_s16(even.raw), vget_low_s16(b_even.raw)),
                                 vget_low_s16(odd.raw), vget_low_s16(b_odd.raw)),
               upper = vmlal_high_s16(vmull_high_s16(even.raw, b_even.raw), odd.raw, b_odd.raw);
    return hn::Add(sum, Sum(vpaddq_s32(lower, upper)));
#else
    auto rest = hn::Zero(I32());
    sum = hn::ReorderWidenMulAccumulate(I32(), even, b_even, sum, rest);
    sum = hn::ReorderWidenMulAccumulate(I32(), odd, b_odd, sum, rest);
    return hn::Add(sum, rest);
#endif
#endif
  }
};

/// Two integers with sign a word, the first in the lower half. kFast: as above.
template <bool kFast>
struct Int16Dot : IntegerDot {
  static HWY_INLINE Sum add(Sum sum, Words a, Words b) {
#if HWY_TARGET == HWY_AVX3
    if constexpr (kFast) {
      asm("vpdpwssd %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
      return sum;
    }
#endif
    const auto x = hn::BitCast(I32(), a), y = hn::BitCast(I32(), b);
    const auto first =
        hn::Mul(hn::ShiftRight<16>(hn::ShiftLeft<16>(x)), hn::ShiftRight<16>(hn::ShiftLeft<16>(y)));
    return hn::Add(sum, hn::Add(first, hn::Mul(hn::ShiftRight<16>(x), hn::ShiftRight<16>(y))));
  }
};

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // MEZZO_WORDS_INL_H_
