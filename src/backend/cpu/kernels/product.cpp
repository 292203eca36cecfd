#include "backend/cpu/kernels/product.h"

#include <type_traits>

#include "backend/cpu/isa.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/kernels/product.cpp"
#include <hwy/foreach_target.h>
// after foreach_target.h
#include "backend/cpu/kernels/product_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mezzo::HWY_NAMESPACE {
using kernels::Finish;
using kernels::Index;
using kernels::Operands;
using kernels::PanelProduct;
using kernels::Scales;

// What becomes of sums: numbers, added to others. Sums of integers begin with what stands for zeros
// in the left operand, and have factors.
template <class Dot, Index kVectors>
class Numbers {
 public:
  using Sum = typename Dot::Sum;
  HWY_INLINE Numbers(const Scales&, Index) {
    for (Sum& s : start) s = hn::Zero(F());
  }
  HWY_INLINE V add(Index, Index, Sum sum, V before) const { return hn::Add(before, sum); }
  Sum start[kVectors];
};

template <class Dot, Index kVectors>
requires std::is_same_v<typename Dot::Value, std::int32_t>
class Numbers<Dot, kVectors> {
 public:
  using Sum = typename Dot::Sum;
  HWY_INLINE Numbers(const Scales& s, Index row) : row_(s.row + row * s.row_step), s_(s) {
    const I32 d;
    for (Index j = 0; j < kVectors; ++j) {
      start[j] = hn::Zero(d);
      if (s.sums) start[j] = hn::Mul(hn::Set(d, -s.zero), hn::LoadU(d, s.sums + j * lanes()));
      column_[j] = hn::LoadU(F(), s.column + j * lanes());
    }
  }
  HWY_INLINE V add(Index r, Index j, Sum sum, V before) const {
    const V factor = hn::Mul(hn::Set(F(), row_[r * s_.row_step]), column_[j]);
    return hn::MulAdd(hn::ConvertTo(F(), sum), factor, before);
  }
  Sum start[kVectors];

 private:
  const float* row_;
  const Scales& s_;
  V column_[kVectors];
};

alignas(HWY_MAX_BYTES) constexpr float kZeros[2 * HWY_MAX_BYTES / sizeof(float)] = {};

// Asks for where results go, which is there then when their sums are made.
template <Index kVectors>
HWY_INLINE void prefetch_results(const PanelProduct& p, Index row, Index rows) {
  constexpr int kToWrite = 1;
  for (Index r = row; r < row + rows; ++r)
    for (Index j = 0; j < kVectors; ++j) {
      const Index at = r * p.c_stride + j * lanes();
      __builtin_prefetch(p.c + at, kToWrite);
      if (p.add) __builtin_prefetch(p.add + at);
    }
}

template <class Dot, Index kVectors, Index kRows>
void strip(const PanelProduct& p, Index row) {
  const F f;
  const Index n = lanes();
  const Numbers<Dot, kVectors> numbers(p.scales, row);
  if (p.c_is_far) prefetch_results<kVectors>(p, row, kRows);
  Tile<Dot, kRows, kVectors> tile(numbers.start);
  tile.add({static_cast<const char*>(p.a) + row * p.a_stride * 4, p.a_stride, p.panel, p.depth,
            p.taps, p.a_taps, p.panel_tap});
  const Index before_stride = p.before ? p.before_stride : 0;
  const float* before = p.before ? p.before + row * before_stride : kZeros;
  float* c = p.c + row * p.c_stride;
  const auto value = [&](Index r, Index j, auto sum) HWY_ATTR {
    return numbers.add(r, j, sum, hn::LoadU(f, before + r * before_stride + j * n));
  };
  if (!p.gate && !p.add)
    return tile.each([&](Index r, Index j, auto sum)
                         HWY_ATTR { hn::StoreU(value(r, j, sum), f, c + r * p.c_stride + j * n); });
  const float* add = p.add ? p.add + row * p.c_stride : kZeros;
  const Index add_stride = p.add ? p.c_stride : 0;
  V gate[kVectors];
  for (Index j = 0; j < kVectors; ++j)
    gate[j] = p.gate ? hn::LoadU(f, p.gate + j * n) : hn::Set(f, 1.0f);
  tile.each([&](Index r, Index j, auto sum) HWY_ATTR {
    const V other = hn::LoadU(f, add + r * add_stride + j * n);
    hn::StoreU(hn::MulAdd(value(r, j, sum), gate[j], other), f, c + r * p.c_stride + j * n);
  });
}

template <class Dot, Index kVectors, Index kRows = kAccumulators / 2>
HWY_INLINE void strip_of(Index rows, const PanelProduct& p, Index row) {
  if (rows == kRows)
    strip<Dot, kVectors, kRows>(p, row);
  else if constexpr (kRows > 1)
    strip_of<Dot, kVectors, kRows - 1>(rows, p, row);
}

// Strips of about equal height, so that the last one is not too low to be fast.
template <class Dot, Index kVectors>
void multiply(const PanelProduct& p) {
  constexpr Index kMost = kAccumulators / 2;
  const Index strips = (p.rows + kMost - 1) / kMost;
  for (Index i = 0; i < strips; ++i) {
    const Index begin = i * p.rows / strips, end = (i + 1) * p.rows / strips;
    strip_of<Dot, kVectors>(end - begin, p, begin);
  }
}

template <class Dot>
void multiply(const PanelProduct& p) {
  p.width == lanes() ? multiply<Dot, 1>(p) : multiply<Dot, 2>(p);
}

void MultiplyPanel(const PanelProduct& p) {
  switch (p.operands) {
    case Operands::kFloat:
      return multiply<FloatDot>(p);
    case Operands::kBF16:
#if HWY_TARGET == HWY_AVX3
      if (cpu_has_bf16()) return multiply<BFloat16Dot<true>>(p);
#endif
      return multiply<BFloat16Dot<false>>(p);
    case Operands::kInt8:
#if HWY_TARGET == HWY_AVX3
      if (cpu_has_vnni()) return multiply<Int8Dot<true>>(p);
#endif
      return multiply<Int8Dot<false>>(p);
    case Operands::kInt16:
#if HWY_TARGET == HWY_AVX3
      if (cpu_has_vnni()) return multiply<Int16Dot<true>>(p);
#endif
      return multiply<Int16Dot<false>>(p);
  }
}

template <class Fn>
HWY_INLINE void finish_row(const float* c, const float* add, Index n, const Finish& e, const Fn& f,
                           float* out) {
  if (e.gate && add)
    map(
        n, out, [&](V v, V g, V o) HWY_ATTR { return hn::MulAdd(f(v), g, o); }, c, e.gate, add);
  else if (e.gate)
    map(
        n, out, [&](V v, V g) HWY_ATTR { return hn::Mul(f(v), g); }, c, e.gate);
  else if (add)
    map(
        n, out, [&](V v, V o) HWY_ATTR { return hn::Add(f(v), o); }, c, add);
  else
    map(
        n, out, [&](V v) HWY_ATTR { return f(v); }, c);
}

void FinishRows(const float* c, Index c_stride, Index rows, Index columns, const Finish& e,
                float* out, Index out_stride) {
  with_activation(e.activation, [&](auto f) HWY_ATTR {
    for (Index r = 0; r < rows; ++r)
      finish_row(c + r * c_stride, e.add ? e.add + r * out_stride : nullptr, columns, e, f,
                 out + r * out_stride);
  });
}

void FinishGeglu(const float* value, const float* gate, Index c_stride, Index rows, Index columns,
                 float* out, Index out_stride) {
  const F f;
  for (Index r = 0; r < rows; ++r)
    for (Index j = 0; j < columns; j += lanes()) {
      const Index at = r * c_stride + j;
      hn::StoreU(hn::Mul(hn::LoadU(f, value + at), gelu(hn::LoadU(f, gate + at))), f,
                 out + r * out_stride + j);
    }
}

Index PanelWidth() { return 2 * lanes(); }

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mezzo::kernels {
HWY_EXPORT(PanelWidth);
HWY_EXPORT(MultiplyPanel);
HWY_EXPORT(FinishRows);
HWY_EXPORT(FinishGeglu);

Index panel_width() { return HWY_DYNAMIC_DISPATCH(PanelWidth)(); }
void multiply_panel(const PanelProduct& p) { HWY_DYNAMIC_DISPATCH(MultiplyPanel)(p); }
void finish_rows(const float* c, Index c_stride, Index rows, Index columns, const Finish& finish,
                 float* out, Index out_stride) {
  HWY_DYNAMIC_DISPATCH(FinishRows)(c, c_stride, rows, columns, finish, out, out_stride);
}
void finish_geglu(const float* value, const float* gate, Index c_stride, Index rows, Index columns,
                  float* out, Index out_stride) {
  HWY_DYNAMIC_DISPATCH(FinishGeglu)(value, gate, c_stride, rows, columns, out, out_stride);
}
}  // namespace mezzo::kernels
#endif
