// The product of a few rows with a panel of columns, held in registers: what attention and Winograd
// convolutions spend their time in. Included once per instruction set (hwy/foreach_target.h).
#if defined(MEZZO_PRODUCT_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MEZZO_PRODUCT_TILE_INL_H_
#undef MEZZO_PRODUCT_TILE_INL_H_
#else
#define MEZZO_PRODUCT_TILE_INL_H_
#endif

#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mezzo::HWY_NAMESPACE {

// Vector registers for sums: the rest hold one row of the right operand and a repeated value of the
// left.
#if HWY_TARGET == HWY_AVX3
constexpr kernels::Index kAccumulators = 24;
#else
constexpr kernels::Index kAccumulators = 12;
#endif

// c[r][j] = first[r] * c[r][j] + sum over k < depth of a[r][k] * b[k][j], for a tile of kRows x
// kVectors vectors. Without kContinue c is only written.
template <kernels::Index kRows, kernels::Index kVectors, bool kContinue>
HWY_INLINE void tile(const float* HWY_RESTRICT a, kernels::Index a_stride,
                     const float* HWY_RESTRICT b, kernels::Index depth,
                     const float* HWY_RESTRICT factor, float* HWY_RESTRICT c,
                     kernels::Index c_stride) {
  using kernels::Index;
  const F f;
  const Index n = lanes();
  V sum[kRows][kVectors];
  for (Index r = 0; r < kRows; ++r)
    for (Index j = 0; j < kVectors; ++j)
      sum[r][j] = kContinue ? hn::Mul(hn::LoadU(f, c + r * c_stride + j * n), hn::Set(f, factor[r]))
                            : hn::Zero(f);
  for (Index k = 0; k < depth; ++k) {
    V right[kVectors];
    for (Index j = 0; j < kVectors; ++j) right[j] = hn::LoadU(f, b + (k * kVectors + j) * n);
    for (Index r = 0; r < kRows; ++r) {
      const V left = hn::Set(f, a[r * a_stride + k]);
      for (Index j = 0; j < kVectors; ++j) sum[r][j] = hn::MulAdd(left, right[j], sum[r][j]);
    }
  }
  for (Index r = 0; r < kRows; ++r)
    for (Index j = 0; j < kVectors; ++j) hn::StoreU(sum[r][j], f, c + r * c_stride + j * n);
}

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // MEZZO_PRODUCT_TILE_INL_H_
