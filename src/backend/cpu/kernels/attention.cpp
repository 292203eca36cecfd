// Softmax attention one block of rows and keys at a time, with running maxima and sums (Milakov &
// Gimelshein 2018; Dao et al. 2022, arXiv:2205.14135). The scores of a block stay in the first
// cache level; no other scores exist.
#include <algorithm>
#include <cstring>

#include "backend/cpu/footprint.h"
#include "backend/cpu/kernels/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/kernels/attention.cpp"
#include <hwy/foreach_target.h>
// after foreach_target.h
#include "backend/cpu/kernels/product_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mezzo::HWY_NAMESPACE {
using footprint::Attention;
using kernels::Head;
using kernels::Index;

constexpr Index kKeyVectors = 2;  // of a panel of keys
constexpr float kLog2E = 1.44269504f;
constexpr float kLowest = -1e30f;  // below every score, and its differences stay finite

// What one task works on, in memory of its thread.
struct Block {
  float *q, *out, *score, *max, *sum, *correction;
  Index rows;       // in use, of Attention::kRows
  Index out_width;  // of a row of out: whole vectors
};

// The vectors of a row of values are split into panels of 2, and one of 3 or 1 when their number is
// odd.
HWY_INLINE Index panel_vectors(Index left) { return left == 1 ? 1 : left % 2 ? 3 : 2; }

// Scores of `keys` keys: block.score = q k^T.
void scores(const Block& b, const float* packed, Index keys, Index d) {
  constexpr Index kStrip = kAccumulators / kKeyVectors;
  const Index panel = kKeyVectors * lanes();
  for (Index key = 0; key < keys; key += panel)
    for (Index r = 0; r < b.rows; r += kStrip)
      tile<FloatDot, kStrip, kKeyVectors, Result::kWrite>(
          {b.q + r * d, d, packed + key * d, d}, nullptr, b.score + r * Attention::kKeys + key,
          Attention::kKeys);
}

template <Index kVectors>
HWY_INLINE void add_panel(const Block& b, const float* values, Index keys, float* out) {
  constexpr Index kStrip = kAccumulators / kVectors;
  for (Index r = 0; r < b.rows; r += kStrip)
    tile<FloatDot, kStrip, kVectors, Result::kScaleAndAdd>(
        {b.score + r * Attention::kKeys, Attention::kKeys, values, keys}, b.correction + r,
        out + r * b.out_width, b.out_width);
}

// block.out = correction * block.out + probabilities * values.
void add_values(const Block& b, const float* values, Index first_key, Index keys,
                Index padded_keys) {
  const Index n = lanes(), vectors = b.out_width / n;
  for (Index v = 0; v < vectors;) {
    const Index width = panel_vectors(vectors - v);
    const float* panel = values + v * n * padded_keys + first_key * width * n;
    float* out = b.out + v * n;
    if (width == 3)
      add_panel<3>(b, panel, keys, out);
    else if (width == 2)
      add_panel<2>(b, panel, keys, out);
    else
      add_panel<1>(b, panel, keys, out);
    v += width;
  }
}

// Turns a row of scores into probabilities relative to the largest score so far.
HWY_INLINE void softmax_row(const Block& b, Index row, Index valid, Index padded,
                            const float* bias) {
  const F f;
  const Index n = lanes();
  float* s = b.score + row * Attention::kKeys;
  if (bias) {
    const V k = hn::Set(f, kLog2E);
    map(
        valid, s, [&](V v, V o) HWY_ATTR { return hn::MulAdd(o, k, v); }, s, bias);
  }
  for (Index j = std::max<Index>(valid, 0); j < padded; ++j) s[j] = 4 * kLowest;  // weighs nothing
  V most = hn::Set(f, b.max[row]);
  for (Index j = 0; j < padded; j += n) most = hn::Max(most, hn::LoadU(f, s + j));
  const float max = hn::GetLane(hn::MaxOfLanes(f, most));
  const V m = hn::Set(f, max);
  V sum = hn::Zero(f);
  for (Index j = 0; j < padded; j += n) {
    const V p = exp2(hn::Sub(hn::LoadU(f, s + j), m));
    hn::StoreU(p, f, s + j);
    sum = hn::Add(sum, p);
  }
  const float correction = hn::GetLane(exp2(hn::Sub(hn::Set(f, b.max[row]), m)));
  b.correction[row] = correction;
  b.sum[row] = b.sum[row] * correction + hn::GetLane(hn::SumOfLanes(f, sum));
  b.max[row] = max;
}

Block begin_block(const Head& h, Index begin, Index end, float* scratch) {
  const Index padded_d = round_up(h.d, Attention::kMaxLanes);
  const auto take = [&scratch](Index n) {
    float* p = scratch;
    scratch += footprint::floats(n) / sizeof(float);
    return p;
  };
  Block b;
  b.q = take(Attention::kRows * h.d);
  b.out = take(Attention::kRows * padded_d);
  b.score = take(Attention::kRows * Attention::kKeys);
  b.max = take(Attention::kRows);
  b.sum = take(Attention::kRows);
  b.correction = take(Attention::kRows);
  b.rows = end - begin;
  b.out_width = round_up(h.d, lanes());
  std::fill_n(b.q, Attention::kRows * h.d, 0.0f);
  std::fill_n(b.out, Attention::kRows * b.out_width, 0.0f);
  std::fill_n(b.score, Attention::kRows * Attention::kKeys, 0.0f);
  std::fill_n(b.max, Attention::kRows, kLowest);
  std::fill_n(b.sum, Attention::kRows, 0.0f);
  std::fill_n(b.correction, Attention::kRows, 0.0f);
  const V k = hn::Set(F(), h.scale * kLog2E);
  for (Index r = begin; r < end; ++r)
    map(
        h.d, b.q + (r - begin) * h.d, [&](V v) HWY_ATTR { return hn::Mul(v, k); },
        h.q + r * h.q_stride);
  return b;
}

void AttentionRows(const Head& h, Index begin, Index end, const float* keys, const float* values,
                   float* scratch) {
  const Index panel = kKeyVectors * lanes();
  const Index padded_keys = round_up(h.lk, Attention::kKeys);
  const Block b = begin_block(h, begin, end, scratch);
  const Index last = h.causal ? std::min(h.lk, end) : h.lk;
  for (Index key = 0; key < last; key += Attention::kKeys) {
    const Index n = std::min(Attention::kKeys, last - key), padded = round_up(n, panel);
    scores(b, keys + key * h.d, n, h.d);
    for (Index r = 0; r < b.rows; ++r) {
      const Index valid = h.causal ? std::min(n, begin + r - key + 1) : n;
      softmax_row(b, r, valid, padded, h.bias ? h.bias + (begin + r) * h.lk + key : nullptr);
    }
    add_values(b, values, key, n, padded_keys);
  }
  for (Index r = 0; r < b.rows; ++r) {
    const V inverse = hn::Set(F(), b.sum[r] > 0 ? 1.0f / b.sum[r] : 0.0f);
    map(
        h.d, h.out + (begin + r) * h.out_stride, [&](V v) HWY_ATTR { return hn::Mul(v, inverse); },
        b.out + r * b.out_width);
  }
}

void AttentionPack(const Head& h, Index begin, Index end, float* keys, float* values) {
  const Index n = lanes(), panel = kKeyVectors * n;
  for (Index key = begin, count; key < end; key += count) {
    const Index column = key % panel;
    count = std::min(panel - column, end - key);
    float* out = keys + (key - column) * h.d;
    if (column == 0 && count < panel) std::fill_n(out, panel * h.d, 0.0f);
    kernels::transpose(h.k + (key - h.first_key) * h.k_stride, h.k_stride, count, h.d, out + column,
                       panel);
  }
  const Index vectors = ceil_div(h.d, n), padded_keys = round_up(h.lk, Attention::kKeys);
  for (Index v = 0; v < vectors;) {
    const Index width = panel_vectors(vectors - v) * n, column = v * n;
    const Index used = std::min(width, h.d - column);
    for (Index key = begin; key < end; ++key) {
      float* out = values + column * padded_keys + key * width;
      std::memcpy(out, h.v + (key - h.first_key) * h.v_stride + column,
                  static_cast<std::size_t>(used) * sizeof(float));
      std::fill(out + used, out + width, 0.0f);
    }
    v += width / n;
  }
}

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mezzo::kernels {
HWY_EXPORT(AttentionPack);
HWY_EXPORT(AttentionRows);

void attention_pack(const Head& h, Index begin, Index end, float* keys, float* values) {
  HWY_DYNAMIC_DISPATCH(AttentionPack)(h, begin, end, keys, values);
}
void attention_rows(const Head& h, Index begin, Index end, const float* keys, const float* values,
                    float* scratch) {
  HWY_DYNAMIC_DISPATCH(AttentionRows)(h, begin, end, keys, values, scratch);
}
}  // namespace mezzo::kernels
#endif
