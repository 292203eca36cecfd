// The product of a few rows with a panel of columns, held in registers: what products, attention
// and Winograd convolutions spend their time in. Included once per instruction set
// (hwy/foreach_target.h).
#if defined(MEZZO_PRODUCT_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEZZO_PRODUCT_TILE_INL_H_
#undef MEZZO_PRODUCT_TILE_INL_H_
#else
#define MEZZO_PRODUCT_TILE_INL_H_
#endif

#include <cstring>

#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/kernels/words-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mezzo::HWY_NAMESPACE {

// Vector registers for sums: the rest hold one row of the right operand and a repeated value of the
// left.
#if HWY_TARGET == HWY_AVX3
constexpr kernels::Index kAccumulators = 24;
#else
constexpr kernels::Index kAccumulators = 12;
#endif

// What becomes of c: it is written; added to, after the sums of their own, which keeps long sums
// exact; or multiplied by a factor for each row first and then added to.
enum class Result { kWrite, kAdd, kScaleAndAdd };

// Operands of a tile, in words (words-inl.h): a[r][k], rows a_stride words apart, and b[k][j].
// Where there are several taps, those of tap t begin a_taps[t] and t * b_tap words further on.
struct TileOperands {
  const void* a;
  kernels::Index a_stride;
  const void* b;
  kernels::Index depth;
  kernels::Index taps = 1;
  const kernels::Index* a_taps = nullptr;
  kernels::Index b_tap = 0;
};

// c[r][j] (+)= sum over k < depth, and over the taps, of a[r][k] * b[k][j], for a tile of kRows x
// kVectors vectors.
template <class Dot, kernels::Index kRows, kernels::Index kVectors, Result kResult>
HWY_INLINE void tile(const TileOperands& o, const float* HWY_RESTRICT factor,
                     typename Dot::Value* HWY_RESTRICT c, kernels::Index c_stride) {
  using kernels::Index;
  constexpr Index kWord = 4, kGroup = 3, kGroups = (kRows + kGroup - 1) / kGroup;
  const typename Dot::Tag d;
  const Index n = lanes();
  typename Dot::Sum sum[kRows][kVectors];
#pragma GCC unroll 12
  for (Index r = 0; r < kRows; ++r)
    for (Index j = 0; j < kVectors; ++j) {
      if constexpr (kResult == Result::kScaleAndAdd)
        sum[r][j] = hn::Mul(hn::LoadU(d, c + r * c_stride + j * n), hn::Set(d, factor[r]));
      else
        sum[r][j] = hn::Zero(d);
    }
  // Three rows share a pointer, so that all of them fit the registers.
  const Index stride = o.a_stride * kWord;
  for (Index tap = 0; tap < o.taps; ++tap) {
    const char* a = static_cast<const char*>(o.a) + (o.a_taps ? o.a_taps[tap] * kWord : 0);
    const auto* b = static_cast<const std::uint32_t*>(o.b) + tap * o.b_tap;
    const char* rows[kGroups];
    for (Index g = 0; g < kGroups; ++g) rows[g] = a + g * kGroup * stride;
    for (Index k = 0; k < o.depth; ++k) {
      typename Dot::Right right[kVectors];
      for (Index j = 0; j < kVectors; ++j) right[j] = Dot::right(b + j * n);
      b += kVectors * n;
#pragma GCC unroll 12
      for (Index r = 0; r < kRows; ++r) {
        const auto left = Dot::left(rows[r / kGroup] + r % kGroup * stride);
        for (Index j = 0; j < kVectors; ++j) sum[r][j] = Dot::add(sum[r][j], left, right[j]);
      }
      for (Index g = 0; g < kGroups; ++g) rows[g] += kWord;
    }
  }
#pragma GCC unroll 12
  for (Index r = 0; r < kRows; ++r)
    for (Index j = 0; j < kVectors; ++j) {
      auto* at = c + r * c_stride + j * n;
      if constexpr (kResult == Result::kAdd) sum[r][j] = hn::Add(sum[r][j], hn::LoadU(d, at));
      hn::StoreU(sum[r][j], d, at);
    }
}

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // MEZZO_PRODUCT_TILE_INL_H_
