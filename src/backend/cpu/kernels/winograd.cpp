// Convolutions 3x3 with stride 1 as F(m x m, 3x3) (Winograd 1980; Lavin & Gray 2016,
// arXiv:1509.09308): Y = A^T [(G g G^T) * (B^T d B)] A for every tile of m x m results, where *
// multiplies point by point and sums over the channels. Points 0 1 -1 1/2 -2 for m = 4 (smaller
// errors than 0 1 -1 2 -2) and 0 1 -1 2 -2 1/2 -1/2 for m = 6.
#include "backend/cpu/kernels/winograd.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/kernels/winograd.cpp"
#include <hwy/foreach_target.h>
// after foreach_target.h
#include "backend/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mezzo::HWY_NAMESPACE {
using kernels::Index;
using kernels::WeightPiece;
using kernels::WinogradTile;

struct Form4 {
  static constexpr int kTile = 4, kPatch = 6;
  static constexpr float kInput[6][6] = {{1, -1.5f, -2, 1.5f, 1, 0}, {0, -1, 0.5f, 2.5f, 1, 0},
                                         {0, 1, -2.5f, 0.5f, 1, 0},  {0, -2, -1, 2, 1, 0},
                                         {0, 0.5f, -1, -0.5f, 1, 0}, {0, 1, -1.5f, -2, 1.5f, 1}};
  static constexpr float kWeight[6][3] = {{1, 0, 0},
                                          {1.0f / 3, 1.0f / 3, 1.0f / 3},
                                          {-1.0f / 3, 1.0f / 3, -1.0f / 3},
                                          {-16.0f / 15, -8.0f / 15, -4.0f / 15},
                                          {1.0f / 15, -2.0f / 15, 4.0f / 15},
                                          {0, 0, 1}};
  static constexpr float kOutput[4][6] = {{1, 1, 1, 1, 1, 0},
                                          {0, 1, -1, 0.5f, -2, 0},
                                          {0, 1, 1, 0.25f, 4, 0},
                                          {0, 1, -1, 0.125f, -8, 1}};
};

struct Form6 {
  static constexpr int kTile = 6, kPatch = 8;
  static constexpr float kInput[8][8] = {
      {-1, 0, 5.25f, 0, -5.25f, 0, 1, 0},        {0, 1, 1, -4.25f, -4.25f, 1, 1, 0},
      {0, -1, 1, 4.25f, -4.25f, -1, 1, 0},       {0, 0.5f, 0.25f, -2.5f, -1.25f, 2, 1, 0},
      {0, -0.5f, 0.25f, 2.5f, -1.25f, -2, 1, 0}, {0, 2, 4, -2.5f, -5, 0.5f, 1, 0},
      {0, -2, 4, 2.5f, -5, -0.5f, 1, 0},         {0, -1, 0, 5.25f, 0, -5.25f, 0, 1}};
  static constexpr float kWeight[8][3] = {{-1, 0, 0},
                                          {-2.0f / 9, -2.0f / 9, -2.0f / 9},
                                          {-2.0f / 9, 2.0f / 9, -2.0f / 9},
                                          {1.0f / 90, 1.0f / 45, 2.0f / 45},
                                          {1.0f / 90, -1.0f / 45, 2.0f / 45},
                                          {32.0f / 45, 16.0f / 45, 8.0f / 45},
                                          {32.0f / 45, -16.0f / 45, 8.0f / 45},
                                          {0, 0, 1}};
  static constexpr float kOutput[6][8] = {{1, 1, 1, 1, 1, 1, 1, 0},
                                          {0, 1, -1, 2, -2, 0.5f, -0.5f, 0},
                                          {0, 1, 1, 4, 4, 0.25f, 0.25f, 0},
                                          {0, 1, -1, 8, -8, 0.125f, -0.125f, 0},
                                          {0, 1, 1, 16, 16, 0.0625f, 0.0625f, 0},
                                          {0, 1, -1, 32, -32, 0.03125f, -0.03125f, 1}};
};

// y = m x for vectors, without the zeros of m and without products by one.
template <int kOut, int kIn>
HWY_INLINE void apply(const float (&m)[kOut][kIn], const V (&x)[kIn], V (&y)[kOut]) {
  const F f;
#pragma GCC unroll 8
  for (int i = 0; i < kOut; ++i) {
    V sum = hn::Zero(f);
#pragma GCC unroll 8
    for (int j = 0; j < kIn; ++j) {
      if (m[i][j] == 1)
        sum = hn::Add(sum, x[j]);
      else if (m[i][j] == -1)
        sum = hn::Sub(sum, x[j]);
      else if (m[i][j] != 0)
        sum = hn::MulAdd(hn::Set(f, m[i][j]), x[j], sum);
    }
    y[i] = sum;
  }
}

// v[i][j] = m x m^T: columns first, then rows. `load` gives x[i][j], `store` takes the results.
template <int kOut, int kIn, class Load, class Store>
HWY_INLINE void apply_twice(const float (&m)[kOut][kIn], const Load& load, const Store& store) {
  V half[kOut][kIn], x[kIn], y[kOut];
  for (int j = 0; j < kIn; ++j) {
    for (int i = 0; i < kIn; ++i) x[i] = load(i, j);
    apply(m, x, y);
    for (int i = 0; i < kOut; ++i) half[i][j] = y[i];
  }
  for (int i = 0; i < kOut; ++i) {
    apply(m, half[i], y);
    for (int j = 0; j < kOut; ++j) store(i, j, y[j]);
  }
}

template <class Form>
void input(const float* const* pixels, Index channels, float* out, Index point) {
  constexpr int n = Form::kPatch;
  const F f;
  for (Index c = 0; c < channels; c += lanes())
    apply_twice(
        Form::kInput, [&](int i, int j) HWY_ATTR { return hn::LoadU(f, pixels[i * n + j] + c); },
        [&](int i, int j, V v) HWY_ATTR { hn::StoreU(v, f, out + (i * n + j) * point + c); });
}

template <class Form>
void weight(const WeightPiece& w, float* out, Index point) {
  constexpr int n = Form::kPatch;
  const F f;
  for (Index i = 0; i < w.channels * w.width; i += lanes())
    apply_twice(
        Form::kWeight,
        [&](int y, int x)
            HWY_ATTR { return hn::LoadU(f, w.values + (y * 3 + x) * w.tap_stride + i); },
        [&](int y, int x, V v) HWY_ATTR { hn::StoreU(v, f, out + (y * n + x) * point + i); });
}

template <class Form>
void output(const float* products, Index point, const float* bias, Index channels,
            const WinogradTile& to) {
  constexpr int n = Form::kPatch, m = Form::kTile;
  const F f;
  for (Index c = 0; c < channels; c += lanes()) {
    const V b = hn::LoadU(f, bias + c);
    apply_twice(
        Form::kOutput,
        [&](int i, int j) HWY_ATTR { return hn::LoadU(f, products + (i * n + j) * point + c); },
        [&](int i, int j, V v) HWY_ATTR {
          v = hn::Add(v, b);
          if (to.add[0]) v = hn::Add(v, hn::LoadU(f, to.add[i * m + j] + c));
          hn::StoreU(v, f, to.out[i * m + j] + c);
        });
  }
}

void WinogradInput(int m, const float* const* pixels, Index channels, float* out, Index point) {
  m == 4 ? input<Form4>(pixels, channels, out, point) : input<Form6>(pixels, channels, out, point);
}

void WinogradWeight(int m, const WeightPiece& w, float* out, Index point) {
  m == 4 ? weight<Form4>(w, out, point) : weight<Form6>(w, out, point);
}

void WinogradOutput(int m, const float* products, Index point, const float* bias, Index channels,
                    const WinogradTile& to) {
  m == 4 ? output<Form4>(products, point, bias, channels, to)
         : output<Form6>(products, point, bias, channels, to);
}

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mezzo::kernels {
HWY_EXPORT(WinogradInput);
HWY_EXPORT(WinogradWeight);
HWY_EXPORT(WinogradOutput);

void winograd_input(int m, const float* const* pixels, Index channels, float* out, Index point) {
  HWY_DYNAMIC_DISPATCH(WinogradInput)(m, pixels, channels, out, point);
}
void winograd_weight(int m, const WeightPiece& w, float* out, Index point) {
  HWY_DYNAMIC_DISPATCH(WinogradWeight)(m, w, out, point);
}
void winograd_output(int m, const float* products, Index point, const float* bias, Index channels,
                     const WinogradTile& to) {
  HWY_DYNAMIC_DISPATCH(WinogradOutput)(m, products, point, bias, channels, to);
}
}  // namespace mezzo::kernels
#endif
