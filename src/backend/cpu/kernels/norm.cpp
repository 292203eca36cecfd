#include <cmath>

#include "backend/cpu/kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/kernels/norm.cpp"
#include <hwy/foreach_target.h>
// after foreach_target.h
#include "backend/cpu/kernels/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mezzo::HWY_NAMESPACE {
using kernels::Index;

// Sum of f(x[i]) in four interleaved vectors, then one order of adding them up.
template <class Fn>
HWY_INLINE float sum_of(const float* x, Index n, const Fn& fn) {
  const F f;
  const Index step = lanes();
  V s0 = hn::Zero(f), s1 = s0, s2 = s0, s3 = s0;
  Index i = 0;
  for (; i + 4 * step <= n; i += 4 * step) {
    s0 = hn::Add(s0, fn(hn::LoadU(f, x + i)));
    s1 = hn::Add(s1, fn(hn::LoadU(f, x + i + step)));
    s2 = hn::Add(s2, fn(hn::LoadU(f, x + i + 2 * step)));
    s3 = hn::Add(s3, fn(hn::LoadU(f, x + i + 3 * step)));
  }
  for (; i + step <= n; i += step) s0 = hn::Add(s0, fn(hn::LoadU(f, x + i)));
  float rest = 0;
  for (; i < n; ++i) rest += hn::GetLane(fn(hn::Set(f, x[i])));
  return hn::GetLane(hn::SumOfLanes(f, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)))) + rest;
}

struct Moments {
  V mean, inverse_deviation;
  HWY_INLINE V norm(V v) const { return hn::Mul(hn::Sub(v, mean), inverse_deviation); }
};

HWY_INLINE Moments moments_of(const float* x, Index n, float eps) {
  const F f;
  const float mean = sum_of(x, n, [](V v) HWY_ATTR { return v; }) / static_cast<float>(n);
  const V m = hn::Set(f, mean);
  const float squares = sum_of(x, n, [&](V v) HWY_ATTR {
    const V d = hn::Sub(v, m);
    return hn::Mul(d, d);
  });
  return {m, hn::Set(f, 1.0f / std::sqrt(squares / static_cast<float>(n) + eps))};
}

void LayerNorm(const float* x, Index n, const float* weight, const float* bias, float eps,
               float* out) {
  const Moments moments = moments_of(x, n, eps);
  const auto norm = [&](V v) HWY_ATTR { return moments.norm(v); };
  if (weight && bias)
    map(
        n, out, [&](V v, V w, V b) HWY_ATTR { return hn::MulAdd(norm(v), w, b); }, x, weight, bias);
  else if (weight)
    map(
        n, out, [&](V v, V w) HWY_ATTR { return hn::Mul(norm(v), w); }, x, weight);
  else if (bias)
    map(
        n, out, [&](V v, V b) HWY_ATTR { return hn::Add(norm(v), b); }, x, bias);
  else
    map(n, out, norm, x);
}

void ModulatedLayerNorm(const float* x, Index n, const float* scale, const float* shift, float eps,
                        float* out) {
  const Moments moments = moments_of(x, n, eps);
  const V one = hn::Set(F(), 1.0f);
  map(
      n, out,
      [&](V v, V k, V c) HWY_ATTR { return hn::MulAdd(moments.norm(v), hn::Add(one, k), c); }, x,
      scale, shift);
}

void RmsNorm(const float* x, Index n, const float* weight, float eps, float* out) {
  const float squares = sum_of(x, n, [](V v) HWY_ATTR { return hn::Mul(v, v); });
  const V r = hn::Set(F(), 1.0f / std::sqrt(squares / static_cast<float>(n) + eps));
  if (weight)
    map(
        n, out, [&](V v, V w) HWY_ATTR { return hn::Mul(hn::Mul(v, r), w); }, x, weight);
  else
    map(
        n, out, [&](V v) HWY_ATTR { return hn::Mul(v, r); }, x);
}

// For channels c..c+3 vectors: sum over rows of fn(x - shift).
template <int kVectors, class Fn>
HWY_INLINE void column_sums(const float* x, Index rows, Index stride, const Fn& fn, float* out) {
  const F f;
  const Index step = lanes();
  V s[kVectors];
  for (int j = 0; j < kVectors; ++j) s[j] = hn::Zero(f);
  for (Index r = 0; r < rows; ++r)
    for (int j = 0; j < kVectors; ++j)
      s[j] = hn::Add(s[j], fn(hn::LoadU(f, x + r * stride + j * step), j));
  for (int j = 0; j < kVectors; ++j) hn::StoreU(s[j], f, out + j * step);
}

struct Pair {
  double mean, squares;
};

// Statistics of the values of one channel, exactly combined into those of the group (Chan, Golub,
// LeVeque 1979).
HWY_INLINE void combine(Pair& all, double count, Pair add, double added) {
  const double delta = add.mean - all.mean, total = count + added;
  all.mean += delta * added / total;
  all.squares += add.squares + delta * delta * count * added / total;
}

template <int kVectors>
HWY_INLINE void channel_statistics(const float* x, Index rows, Index stride, float* mean,
                                   float* squares) {
  const F f;
  const Index step = lanes();
  column_sums<kVectors>(
      x, rows, stride, [](V v, int) HWY_ATTR { return v; }, mean);
  const V inverse = hn::Set(f, 1.0f / static_cast<float>(rows));
  V m[kVectors];
  for (int j = 0; j < kVectors; ++j) {
    m[j] = hn::Mul(hn::LoadU(f, mean + j * step), inverse);
    hn::StoreU(m[j], f, mean + j * step);
  }
  column_sums<kVectors>(
      x, rows, stride,
      [&](V v, int j) HWY_ATTR {
        const V d = hn::Sub(v, m[j]);
        return hn::Mul(d, d);
      },
      squares);
}

void GroupStatistics(const float* x, Index rows, Index channels, Index groups, double* out) {
  constexpr int kVectors = 4;
  constexpr Index kMax = kVectors * HWY_MAX_BYTES / sizeof(float);
  HWY_ALIGN float mean[kMax], squares[kMax];
  const Index width = channels / groups, step = lanes();
  Pair pair = {0, 0};
  for (Index c = 0; c < channels;) {
    Index n = channels - c;
    if (n >= kVectors * step) {
      n = kVectors * step;
      channel_statistics<kVectors>(x + c, rows, channels, mean, squares);
    } else if (n >= step) {
      n = step;
      channel_statistics<1>(x + c, rows, channels, mean, squares);
    } else {
      for (Index j = 0; j < n; ++j) {
        float sum = 0, square = 0;
        for (Index r = 0; r < rows; ++r) sum += x[r * channels + c + j];
        mean[j] = sum / static_cast<float>(rows);
        for (Index r = 0; r < rows; ++r) {
          const float d = x[r * channels + c + j] - mean[j];
          square += d * d;
        }
        squares[j] = square;
      }
    }
    for (Index j = 0; j < n; ++j) {
      const Index in_group = (c + j) % width;
      if (in_group == 0) pair = {0, 0};
      combine(pair, static_cast<double>(rows * in_group), {mean[j], squares[j]},
              static_cast<double>(rows));
      if (in_group == width - 1) {
        out[2 * ((c + j) / width)] = pair.mean;
        out[2 * ((c + j) / width) + 1] = pair.squares;
      }
    }
    c += n;
  }
}

void GroupApply(const float* x, Index rows, Index channels, const float* factor,
                const float* offset, Activation activation, float* out) {
  with_activation(activation, [&](auto f) HWY_ATTR {
    for (Index r = 0; r < rows; ++r)
      map(
          channels, out + r * channels,
          [&](V v, V k, V c) HWY_ATTR { return f(hn::MulAdd(v, k, c)); }, x + r * channels, factor,
          offset);
  });
}

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mezzo::kernels {
HWY_EXPORT(LayerNorm);
HWY_EXPORT(ModulatedLayerNorm);
HWY_EXPORT(RmsNorm);
HWY_EXPORT(GroupStatistics);
HWY_EXPORT(GroupApply);

void layer_norm(const float* x, Index n, const float* weight, const float* bias, float eps,
                float* out) {
  HWY_DYNAMIC_DISPATCH(LayerNorm)(x, n, weight, bias, eps, out);
}
void modulated_layer_norm(const float* x, Index n, const float* scale, const float* shift,
                          float eps, float* out) {
  HWY_DYNAMIC_DISPATCH(ModulatedLayerNorm)(x, n, scale, shift, eps, out);
}
void rms_norm(const float* x, Index n, const float* weight, float eps, float* out) {
  HWY_DYNAMIC_DISPATCH(RmsNorm)(x, n, weight, eps, out);
}
void group_statistics(const float* x, Index rows, Index channels, Index groups, double* out) {
  HWY_DYNAMIC_DISPATCH(GroupStatistics)(x, rows, channels, groups, out);
}
void group_apply(const float* x, Index rows, Index channels, const float* factor,
                 const float* offset, Activation activation, float* out) {
  HWY_DYNAMIC_DISPATCH(GroupApply)(x, rows, channels, factor, offset, activation, out);
}
}  // namespace mezzo::kernels
#endif
