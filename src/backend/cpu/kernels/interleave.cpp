#include "backend/cpu/kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/kernels/interleave.cpp"
#include <hwy/foreach_target.h>
// after foreach_target.h
#include "backend/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mezzo::HWY_NAMESPACE {
using kernels::Index;
using kernels::WeightRows;

// Where the values of a row go, one after the other: tap by tap, then channel by channel.
class Place {
 public:
  explicit Place(const WeightRows& w) : w_(w) {}
  Index next() {
    const Index at = channel_ * w_.width + tap_ * w_.tap_stride;
    if (++tap_ == w_.taps) tap_ = 0, ++channel_;
    return at;
  }

 private:
  const WeightRows& w_;
  Index channel_ = 0, tap_ = 0;
};

// Four rows of x at a time. Returns how many rows that were.
Index four_rows(const float* x, Index stride, const WeightRows& w, float* out) {
#if HWY_TARGET == HWY_SCALAR
  (void)x, (void)stride, (void)w, (void)out;
  return 0;
#else
  const hn::FixedTag<float, 4> f;
  const hn::FixedTag<double, 2> pair;
  const Index values = w.channels * w.taps, whole = values / 4 * 4;
  Index o = 0;
  for (; o + 4 <= w.rows; o += 4) {
    const float* row = x + o * stride;
    Place place(w);
    for (Index k = 0; k < whole; k += 4) {
      const auto a = hn::LoadU(f, row + k), b = hn::LoadU(f, row + stride + k),
                 c = hn::LoadU(f, row + 2 * stride + k), d = hn::LoadU(f, row + 3 * stride + k);
      const auto ab = hn::BitCast(pair, hn::InterleaveLower(f, a, b)),
                 cd = hn::BitCast(pair, hn::InterleaveLower(f, c, d)),
                 ab_upper = hn::BitCast(pair, hn::InterleaveUpper(f, a, b)),
                 cd_upper = hn::BitCast(pair, hn::InterleaveUpper(f, c, d));
      hn::StoreU(hn::BitCast(f, hn::InterleaveLower(pair, ab, cd)), f, out + place.next() + o);
      hn::StoreU(hn::BitCast(f, hn::InterleaveUpper(pair, ab, cd)), f, out + place.next() + o);
      hn::StoreU(hn::BitCast(f, hn::InterleaveLower(pair, ab_upper, cd_upper)), f,
                 out + place.next() + o);
      hn::StoreU(hn::BitCast(f, hn::InterleaveUpper(pair, ab_upper, cd_upper)), f,
                 out + place.next() + o);
    }
    for (Index k = whole; k < values; ++k) {
      float* to = out + place.next() + o;
      for (Index r = 0; r < 4; ++r) to[r] = row[r * stride + k];
    }
  }
  return o;
#endif
}

void Interleave(const float* x, Index stride, const WeightRows& w, float* out) {
  for (Index o = four_rows(x, stride, w, out); o < w.rows; ++o) {
    Place place(w);
    for (Index k = 0; k < w.channels * w.taps; ++k) out[place.next() + o] = x[o * stride + k];
  }
}

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mezzo::kernels {
HWY_EXPORT(Interleave);

void interleave(const float* x, Index stride, const WeightRows& w, float* out) {
  HWY_DYNAMIC_DISPATCH(Interleave)(x, stride, w, out);
}
}  // namespace mezzo::kernels
#endif
