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

// Sums over k < depth, and over the taps, of a[r][k] * b[k][j] for a tile of kRows x kVectors
// vectors.
template <class Dot, kernels::Index kRows, kernels::Index kVectors>
class Tile {
 public:
  using Index = kernels::Index;
  using Sum = typename Dot::Sum;

  /// The sums of every row begin with start[j].
  HWY_INLINE explicit Tile(const Sum (&start)[kVectors]) {
#pragma GCC unroll 12
    for (Index r = 0; r < kRows; ++r)
      for (Index j = 0; j < kVectors; ++j) sum_[r][j] = start[j];
  }

  HWY_INLINE void add(const TileOperands& o) {
    constexpr Index kWord = 4, kGroup = 3, kGroups = (kRows + kGroup - 1) / kGroup;
    const Index n = lanes();
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
          for (Index j = 0; j < kVectors; ++j) sum_[r][j] = Dot::add(sum_[r][j], left, right[j]);
        }
        for (Index g = 0; g < kGroups; ++g) rows[g] += kWord;
      }
    }
  }

  /// Calls f(r, j, sum) for each vector.
  template <class Fn>
  HWY_INLINE void each(const Fn& f) const {
#pragma GCC unroll 12
    for (Index r = 0; r < kRows; ++r)
      for (Index j = 0; j < kVectors; ++j) f(r, j, sum_[r][j]);
  }

 private:
  Sum sum_[kRows][kVectors];
};

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // MEZZO_PRODUCT_TILE_INL_H_
