#include "backend/cpu/kernels/product.h"

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

template <class Dot, Index kVectors, Index kRows>
void strip(const PanelProduct& p, Index row, bool accumulate) {
  using Value = typename Dot::Value;
  const TileOperands o = {static_cast<const char*>(p.a) + row * p.a_stride * 4,
                          p.a_stride,
                          p.panel,
                          p.depth,
                          p.taps,
                          p.a_taps,
                          p.panel_tap};
  Value* c = static_cast<Value*>(p.c) + row * p.c_stride;
  if (accumulate)
    tile<Dot, kRows, kVectors, Result::kAdd>(o, nullptr, c, p.c_stride);
  else
    tile<Dot, kRows, kVectors, Result::kWrite>(o, nullptr, c, p.c_stride);
}

template <class Dot, Index kVectors, Index kRows = kAccumulators / 2>
HWY_INLINE void strip_of(Index rows, const PanelProduct& p, Index row, bool accumulate) {
  if (rows == kRows)
    strip<Dot, kVectors, kRows>(p, row, accumulate);
  else if constexpr (kRows > 1)
    strip_of<Dot, kVectors, kRows - 1>(rows, p, row, accumulate);
}

// Strips of about equal height, so that the last one is not too low to be fast.
template <class Dot, Index kVectors>
void multiply(const PanelProduct& p, bool accumulate) {
  constexpr Index kMost = kAccumulators / 2;
  const Index strips = (p.rows + kMost - 1) / kMost;
  for (Index i = 0; i < strips; ++i) {
    const Index begin = i * p.rows / strips, end = (i + 1) * p.rows / strips;
    strip_of<Dot, kVectors>(end - begin, p, begin, accumulate);
  }
}

template <class Dot>
void multiply(const PanelProduct& p, bool accumulate) {
  p.width == lanes() ? multiply<Dot, 1>(p, accumulate) : multiply<Dot, 2>(p, accumulate);
}

void MultiplyPanel(const PanelProduct& p, bool accumulate) {
  switch (p.operands) {
    case Operands::kFloat:
      return multiply<FloatDot>(p, accumulate);
    case Operands::kBF16:
#if HWY_TARGET == HWY_AVX3
      if (cpu_has_bf16()) return multiply<BFloat16Dot<true>>(p, accumulate);
#endif
      return multiply<BFloat16Dot<false>>(p, accumulate);
    case Operands::kInt8:
    case Operands::kInt15:
#if HWY_TARGET == HWY_AVX3
      if (cpu_has_vnni()) return multiply<Int8Dot<true>>(p, accumulate);
#endif
      return multiply<Int8Dot<false>>(p, accumulate);
  }
}

template <Index kVectors>
void scale_rows(const void* c, Index rows, const Scales& s, float* out, bool accumulate) {
  const F f;
  const I32 d;
  const Index n = lanes();
  hn::Vec<I32> middle[kVectors];
  V column[kVectors];
  for (Index j = 0; j < kVectors; ++j) {
    middle[j] = hn::Mul(hn::Set(d, s.zero), hn::LoadU(d, s.sums + j * n));
    column[j] = hn::LoadU(f, s.column + j * n);
  }
  const auto* sums = static_cast<const std::int32_t*>(c);
  for (Index r = 0; r < rows; ++r) {
    const V row = hn::Set(f, s.row[r * s.row_step]);
    for (Index j = 0; j < kVectors; ++j) {
      const Index at = (r * kVectors + j) * n;
      const V sum = hn::ConvertTo(f, hn::Sub(hn::LoadU(d, sums + at), middle[j]));
      const V before = accumulate ? hn::LoadU(f, out + at) : hn::Zero(f);
      hn::StoreU(hn::MulAdd(sum, hn::Mul(row, column[j]), before), f, out + at);
    }
  }
}

void ScaleSums(const void* c, Index rows, Index width, const Scales& s, float* out,
               bool accumulate) {
  width == lanes() ? scale_rows<1>(c, rows, s, out, accumulate)
                   : scale_rows<2>(c, rows, s, out, accumulate);
}

template <class Fn>
HWY_INLINE void finish_row(const float* c, const float* add, Index n, const Finish& e, const Fn& f,
                           float* out) {
  if (e.gate && add)
    map(
        n, out, [&](V v, V b, V g, V o) HWY_ATTR { return hn::MulAdd(f(hn::Add(v, b)), g, o); }, c,
        e.bias, e.gate, add);
  else if (e.gate)
    map(
        n, out, [&](V v, V b, V g) HWY_ATTR { return hn::Mul(f(hn::Add(v, b)), g); }, c, e.bias,
        e.gate);
  else if (add)
    map(
        n, out, [&](V v, V b, V o) HWY_ATTR { return hn::Add(f(hn::Add(v, b)), o); }, c, e.bias,
        add);
  else
    map(
        n, out, [&](V v, V b) HWY_ATTR { return f(hn::Add(v, b)); }, c, e.bias);
}

void FinishRows(const float* c, Index c_stride, Index rows, Index columns, const Finish& e,
                float* out, Index out_stride) {
  with_activation(e.activation, [&](auto f) HWY_ATTR {
    for (Index r = 0; r < rows; ++r)
      finish_row(c + r * c_stride, e.add ? e.add + r * out_stride : nullptr, columns, e, f,
                 out + r * out_stride);
  });
}

void FinishGeglu(const kernels::Geglu& g, Index c_stride, Index rows, Index columns, float* out,
                 Index out_stride) {
  const F f;
  for (Index r = 0; r < rows; ++r)
    for (Index j = 0; j < columns; j += lanes()) {
      const Index at = r * c_stride + j;
      const V value = hn::Add(hn::LoadU(f, g.value + at), hn::LoadU(f, g.value_bias + j)),
              gate = hn::Add(hn::LoadU(f, g.gate + at), hn::LoadU(f, g.gate_bias + j));
      hn::StoreU(hn::Mul(value, gelu(gate)), f, out + r * out_stride + j);
    }
}

Index PanelWidth() { return 2 * lanes(); }

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mezzo::kernels {
HWY_EXPORT(PanelWidth);
HWY_EXPORT(MultiplyPanel);
HWY_EXPORT(ScaleSums);
HWY_EXPORT(FinishRows);
HWY_EXPORT(FinishGeglu);

Index panel_width() { return HWY_DYNAMIC_DISPATCH(PanelWidth)(); }
void multiply_panel(const PanelProduct& p, bool accumulate) {
  HWY_DYNAMIC_DISPATCH(MultiplyPanel)(p, accumulate);
}
void scale_sums(const void* c, Index rows, Index width, const Scales& s, float* out,
                bool accumulate) {
  HWY_DYNAMIC_DISPATCH(ScaleSums)(c, rows, width, s, out, accumulate);
}
void finish_rows(const float* c, Index c_stride, Index rows, Index columns, const Finish& finish,
                 float* out, Index out_stride) {
  HWY_DYNAMIC_DISPATCH(FinishRows)(c, c_stride, rows, columns, finish, out, out_stride);
}
void finish_geglu(const Geglu& g, Index c_stride, Index rows, Index columns, float* out,
                  Index out_stride) {
  HWY_DYNAMIC_DISPATCH(FinishGeglu)(g, c_stride, rows, columns, out, out_stride);
}
}  // namespace mezzo::kernels
#endif
