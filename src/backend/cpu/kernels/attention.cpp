// Softmax attention one block of rows and keys at a time, with running maxima and sums (Milakov &
// Gimelshein 2018; Dao et al. 2022, arXiv:2205.14135). The scores of a block stay in the first
// cache level; no other scores exist. With integers (as Zhang et al. 2024, arXiv:2410.02367),
// queries and keys have a factor for each row, values one for each column of a block of keys, and
// probabilities are 255ths of the largest so far or, of 16 bits, have a factor for each row of a
// block.
#include "backend/cpu/kernels/attention.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/isa.h"
#include "backend/cpu/kernels/words.h"

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
using kernels::PackedHead;

constexpr Index kKeyVectors = 2;   // of a panel of keys
constexpr Index kBytesAtOnce = 4;  // vectors of probabilities that become bytes
constexpr float kLog2E = 1.44269504f;
constexpr float kLowest = -1e30f;          // below every score, and its differences stay finite
constexpr float kLeastScale = 1e-20f;      // by which kLowest is still very low
constexpr float kLog2Of255 = 7.99435344f;  // the integer of probability 1
constexpr Index kWordBytes = 4;

template <class Dot>
constexpr bool is_integer = std::is_same_v<typename Dot::Value, std::int32_t>;
template <class Dot>
constexpr bool is_bytes = false;
template <bool kFast>
constexpr bool is_bytes<Int8Dot<kFast>> = true;
template <class Dot>
constexpr bool is_int16 = is_integer<Dot> && !is_bytes<Dot>;

static_assert(Attention::kKeys <= kernels::kInt16Depth);

// What one task works on, in memory of its thread.
struct Block {
  char* q;                            // [rows][d_words] words
  float *q_scale, *max, *correction;  // of each row
  float* weight_scale;                // of each row's 16-bit probabilities
  float* sum;                         // [rows][lanes]
  float* out;                         // [rows][out_width]
  float* score;                       // [rows][kKeys]
  char* weights;    // probabilities [rows][kKeys / in_word] words; the scores' memory for float32
  Index rows;       // in use, of Attention::kRows
  Index out_width;  // whole vectors
};

// The vectors of a row of values are split into panels of 2, and one of 3 or 1 when their number is
// odd.
HWY_INLINE Index panel_vectors(Index left) { return left == 1 ? 1 : left % 2 ? 3 : 2; }

// Scores of `keys` keys: block.score = q k^T; of integers but for the factors of the queries.
template <class Dot>
void scores(const Attention& a, const Block& b, const PackedHead& h, Index first_key, Index keys) {
  constexpr Index kStrip = kAccumulators / kKeyVectors;
  const F f;
  const Index n = lanes(), panel = kKeyVectors * n;
  for (Index key = 0; key < keys; key += panel) {
    typename Dot::Sum start[kKeyVectors];
    V scale[kKeyVectors];
    for (Index j = 0; j < kKeyVectors; ++j) {
      if constexpr (is_integer<Dot>) {
        const Index at = first_key + key + j * n;
        start[j] = is_bytes<Dot> ? hn::LoadU(I32(), h.key_offsets + at) : hn::Zero(I32());
        scale[j] = hn::LoadU(f, h.key_scales + at);
      } else {
        start[j] = hn::Zero(f);
      }
    }
    for (Index r = 0; r < b.rows; r += kStrip) {
      Tile<Dot, kStrip, kKeyVectors> tile(start);
      tile.add({b.q + r * a.d_words * kWordBytes, a.d_words,
                h.keys + (first_key + key) * a.d_words * kWordBytes, a.d_words});
      float* to = b.score + r * Attention::kKeys + key;
      tile.each([&](Index i, Index j, auto sum) HWY_ATTR {
        V score;
        if constexpr (is_integer<Dot>)
          score = hn::Mul(hn::ConvertTo(f, sum), scale[j]);
        else
          score = sum;
        hn::StoreU(score, f, to + i * Attention::kKeys + j * n);
      });
    }
  }
}

// Some vectors of block.out = correction * block.out + probabilities * values; `scale`: of integer
// values.
template <class Dot, Index kVectors>
HWY_INLINE void add_panel(const Attention& a, const Block& b, const std::byte* values, Index words,
                          const float* scale, float* out) {
  constexpr Index kStrip = kAccumulators / kVectors;
  const F f;
  const Index n = lanes(), stride = Attention::kKeys / a.in_word;
  typename Dot::Sum start[kVectors];
  for (auto& s : start) s = hn::Zero(typename Dot::Tag());
  for (Index r = 0; r < b.rows; r += kStrip) {
    Tile<Dot, kStrip, kVectors> tile(start);
    tile.add({b.weights + r * stride * kWordBytes, stride, values, words});
    tile.each([&](Index i, Index j, auto sum) HWY_ATTR {
      float* to = out + (r + i) * b.out_width + j * n;
      const V before = hn::LoadU(f, to), correction = hn::Set(f, b.correction[r + i]);
      V after;
      if constexpr (is_integer<Dot>) {
        V factor = hn::LoadU(f, scale + j * n);
        if constexpr (is_int16<Dot>) factor = hn::Mul(factor, hn::Set(f, b.weight_scale[r + i]));
        after = hn::MulAdd(hn::ConvertTo(f, sum), factor, hn::Mul(correction, before));
      } else {
        after = hn::MulAdd(correction, before, sum);
      }
      hn::StoreU(after, f, to);
    });
  }
}

template <class Dot>
void add_values(const Attention& a, const Block& b, const PackedHead& h, Index first_key,
                Index keys) {
  const Index n = lanes(), vectors = b.out_width / n, words = ceil_div(keys, a.in_word);
  for (Index v = 0; v < vectors;) {
    const Index width = panel_vectors(vectors - v);
    const std::byte* panel =
        h.values + (v * n * a.padded_keys + first_key * width * n) / a.in_word * kWordBytes;
    const float* scale = is_integer<Dot>
                             ? h.value_scales + first_key / Attention::kKeys * a.padded_d + v * n
                             : nullptr;
    float* out = b.out + v * n;
    if (width == 3)
      add_panel<Dot, 3>(a, b, panel, words, scale, out);
    else if (width == 2)
      add_panel<Dot, 2>(a, b, panel, words, scale, out);
    else
      add_panel<Dot, 1>(a, b, panel, words, scale, out);
    v += width;
  }
}

// Scores of a row, times `unit`, as its probabilities relative to `max`. Returns `sum` and theirs.
// Of 16-bit integers they stay float32 so far, and their squares are added up.
template <class Dot>
HWY_INLINE V weigh(float* s, char* weights, Index padded, V unit, float max, V sum,
                   float* square_sum) {
  const F f;
  // Bytes: the largest is a power of two like the rest of the exponent.
  const V m = hn::Set(f, is_bytes<Dot> ? max - kLog2Of255 : max);
  const auto exponent = [&](Index j) HWY_ATTR { return hn::MulSub(hn::LoadU(f, s + j), unit, m); };
  const Index n = lanes();
  if constexpr (is_bytes<Dot>) {
    for (Index j = 0; j < padded; j += kBytesAtOnce * n) {
      const V p[] = {rough_exp2(exponent(j)), rough_exp2(exponent(j + n)),
                     rough_exp2(exponent(j + 2 * n)), rough_exp2(exponent(j + 3 * n))};
      store_bytes(p, reinterpret_cast<std::uint8_t*>(weights) + j);
      sum = hn::Add(sum, hn::Add(hn::Add(p[0], p[1]), hn::Add(p[2], p[3])));
    }
    return sum;
  }
  V square = hn::Zero(f);
  for (Index j = 0; j < padded; j += n) {
    V p;
    if constexpr (std::is_same_v<Dot, FloatDot>)
      p = exp2(exponent(j));
    else
      p = rough_exp2(exponent(j));
    if constexpr (std::is_same_v<Dot, FloatDot> || is_int16<Dot>)
      hn::StoreU(p, f, s + j);
    else
      store_bf16(p, reinterpret_cast<std::uint16_t*>(weights) + j);
    if constexpr (is_int16<Dot>) square = hn::MulAdd(p, p, square);
    sum = hn::Add(sum, p);
  }
  if constexpr (is_int16<Dot>) *square_sum = hn::GetLane(hn::SumOfLanes(f, square));
  return sum;
}

// Turns a row of scores into probabilities relative to the largest score so far.
template <class Dot>
HWY_INLINE void softmax_row(const Block& b, Index row, Index valid, Index padded, Index in_word,
                            const float* bias) {
  const F f;
  const Index n = lanes();
  float* s = b.score + row * Attention::kKeys;
  // Of queries of zeros too, keys that are left out are.
  V unit = hn::Set(f, !is_integer<Dot>               ? 1.0f
                      : b.q_scale[row] < kLeastScale ? kLeastScale
                                                     : b.q_scale[row]);
  if (bias) {
    const V k = hn::Set(f, kLog2E);
    map(
        valid, s, [&](V v, V o) HWY_ATTR { return hn::MulAdd(o, k, hn::Mul(v, unit)); }, s, bias);
    unit = hn::Set(f, 1.0f);
  }
  for (Index j = std::max<Index>(valid, 0); j < padded; ++j)
    s[j] = 4 * kLowest;  // weighs 2^-125 or nothing
  V most = hn::Set(f, kLowest);
  for (Index j = 0; j < padded; j += n) most = hn::Max(most, hn::LoadU(f, s + j));
  most = hn::Mul(most, unit);
  V sum = hn::LoadU(f, b.sum + row * n);
  b.correction[row] = 1;
  // After the first blocks of keys this is seldom so.
  if (!hn::AllFalse(f, hn::Gt(most, hn::Set(f, b.max[row])))) {
    const float max = hn::GetLane(hn::MaxOfLanes(f, most));
    const V correction = exp2(hn::Set(f, b.max[row] - max));
    b.correction[row] = hn::GetLane(correction);
    b.max[row] = max;
    sum = hn::Mul(sum, correction);
  }
  char* weights = b.weights + row * Attention::kKeys / in_word * kWordBytes;
  sum = weigh<Dot>(s, weights, padded, unit, b.max[row], sum, b.weight_scale + row);
  hn::StoreU(sum, f, b.sum + row * n);
}

// Probabilities of a block as integers of 16 bits. All rows' factors are found at once: one root
// after the other would be waited for.
HWY_INLINE void round_weights(const Block& b, Index padded) {
  const F f;
  const Index n = lanes();
  HWY_ALIGN float inverse[Attention::kRows];
  for (Index r = 0; r < Attention::kRows; r += n) {
    // No probability is above either by more than scores are rounded.
    const V norm = hn::Sqrt(hn::LoadU(f, b.weight_scale + r)),
            most = hn::Min(norm, hn::Set(f, 1.0f));
    V scale = hn::Max(hn::Mul(norm, hn::Set(f, 1 / kernels::kInt16Norm)),
                      hn::Mul(most, hn::Set(f, 1 / kernels::kInt16Most)));
    scale = hn::Max(scale, hn::Set(f, kLeastScale));
    hn::StoreU(scale, f, b.weight_scale + r);
    hn::StoreU(hn::Div(hn::Set(f, 1.0f), scale), f, inverse + r);
  }
  for (Index r = 0; r < b.rows; ++r) {
    const float* p = b.score + r * Attention::kKeys;
    auto* to = reinterpret_cast<std::int16_t*>(b.weights) + r * Attention::kKeys;
    const V k = hn::Set(f, inverse[r]);
    for (Index j = 0; j < padded; j += 2 * n) {
      const V two[] = {hn::Mul(hn::LoadU(f, p + j), k), hn::Mul(hn::LoadU(f, p + j + n), k)};
      store_int16(two, to + j);
    }
  }
}

template <class Dot>
void take_queries(const Attention& a, const Head& h, Index begin, Index end, const Block& b) {
  const V k = hn::Set(F(), h.scale * kLog2E);
  const Index words = a.d_words * kWordBytes;
  std::memset(b.q + (end - begin) * words, 0,
              static_cast<std::size_t>((Attention::kRows - (end - begin)) * words));
  for (Index r = begin; r < end; ++r) {
    char* to = b.q + (r - begin) * words;
    // Nothing is in the memory of the results yet.
    float* row = std::is_same_v<Dot, FloatDot> ? reinterpret_cast<float*>(to) : b.out;
    map(
        h.d, row, [&](V v) HWY_ATTR { return hn::Mul(v, k); }, h.q + r * h.q_stride);
    if constexpr (is_bytes<Dot>)
      b.q_scale[r - begin] = kernels::row_to_int8(row, h.d, reinterpret_cast<std::uint32_t*>(to));
    else if constexpr (is_integer<Dot>)
      b.q_scale[r - begin] = kernels::row_to_int16(row, h.d, reinterpret_cast<std::uint32_t*>(to));
    else if constexpr (!std::is_same_v<Dot, FloatDot>)
      kernels::row_to_bf16(row, h.d, reinterpret_cast<std::uint32_t*>(to));
  }
}

template <class Dot>
Block begin_block(const Attention& a, const Head& h, Index begin, Index end, std::byte* scratch) {
  const auto take = [&scratch](Index words) {
    std::byte* p = scratch;
    scratch += footprint::floats(words);
    return reinterpret_cast<float*>(p);
  };
  constexpr bool kFloat = std::is_same_v<Dot, FloatDot>;
  Block b;
  b.q = reinterpret_cast<char*>(take(Attention::kRows * a.d_words));
  for (float** p : {&b.q_scale, &b.max, &b.correction, &b.weight_scale})
    *p = take(Attention::kRows);
  b.sum = take(Attention::kRows * Attention::kMaxLanes);
  b.out = take(Attention::kRows * a.padded_d);
  b.score = take(Attention::kRows * Attention::kKeys);
  b.weights = reinterpret_cast<char*>(
      kFloat ? b.score : take(Attention::kRows * Attention::kKeys / a.in_word));
  b.rows = end - begin;
  b.out_width = round_up(a.d, lanes());
  take_queries<Dot>(a, h, begin, end, b);
  std::fill_n(b.out, Attention::kRows * b.out_width, 0.0f);
  // Rows that fill the last tile have probabilities of zero.
  const Index stride = Attention::kKeys / a.in_word * kWordBytes;
  std::memset(b.weights + b.rows * stride, 0,
              static_cast<std::size_t>((Attention::kRows - b.rows) * stride));
  std::fill_n(b.max, Attention::kRows, kLowest);
  std::fill_n(b.sum, Attention::kRows * Attention::kMaxLanes, 0.0f);
  std::fill_n(b.correction, Attention::kRows, 0.0f);
  std::fill_n(b.weight_scale, Attention::kRows, 0.0f);
  return b;
}

template <class Dot>
void attend(const Attention& a, const Head& h, Index begin, Index end, const PackedHead& packed,
            std::byte* scratch) {
  // The probabilities of a row end with a whole piece of what is done at once.
  const Index piece = (is_bytes<Dot> ? kBytesAtOnce : kKeyVectors) * lanes();
  const Block b = begin_block<Dot>(a, h, begin, end, scratch);
  const Index last = h.causal ? std::min(h.lk, end) : h.lk;
  for (Index key = 0; key < last; key += Attention::kKeys) {
    const Index n = std::min(Attention::kKeys, last - key), padded = round_up(n, piece);
    scores<Dot>(a, b, packed, key, n);
    for (Index r = 0; r < b.rows; ++r) {
      const Index valid = h.causal ? std::min(n, begin + r - key + 1) : n;
      const float* bias = h.bias ? h.bias + (begin + r) * h.lk + key : nullptr;
      softmax_row<Dot>(b, r, valid, padded, a.in_word, bias);
    }
    if constexpr (is_int16<Dot>) round_weights(b, padded);
    add_values<Dot>(a, b, packed, key, n);
  }
  for (Index r = 0; r < b.rows; ++r) {
    const float sum = hn::GetLane(hn::SumOfLanes(F(), hn::LoadU(F(), b.sum + r * lanes())));
    const V inverse = hn::Set(F(), sum == 0 ? 0.0f : 1.0f / sum);
    map(
        h.d, h.out + (begin + r) * h.out_stride, [&](V v) HWY_ATTR { return hn::Mul(v, inverse); },
        b.out + r * b.out_width);
  }
}

void AttentionRows(const Attention& a, const Head& h, Index begin, Index end,
                   const PackedHead& packed, std::byte* scratch) {
  if (a.in_word == 1) return attend<FloatDot>(a, h, begin, end, packed, scratch);
#if HWY_TARGET == HWY_AVX3
  if (a.in_word == 2 && a.integers && cpu_has_vnni())
    return attend<Int16Dot<true>>(a, h, begin, end, packed, scratch);
  if (a.in_word == 2 && !a.integers && cpu_has_bf16())
    return attend<BFloat16Dot<true>>(a, h, begin, end, packed, scratch);
  if (a.in_word == 4 && cpu_has_vnni())
    return attend<Int8Dot<true>>(a, h, begin, end, packed, scratch);
#endif
  if (a.in_word == 2 && a.integers)
    return attend<Int16Dot<false>>(a, h, begin, end, packed, scratch);
  if (a.in_word == 2) return attend<BFloat16Dot<false>>(a, h, begin, end, packed, scratch);
  attend<Int8Dot<false>>(a, h, begin, end, packed, scratch);
}

// Where panels of float32 go: of keys [d][panel] from `keys` on, of values [keys][width], panels
// value_stride * width values apart.
struct Panels {
  float *keys, *values;
  Index value_stride;
};

// Keys begin..end-1; first: the key that the panels begin with.
void copy_panels(const Head& h, Index begin, Index end, Index first, const Panels& to) {
  const Index n = lanes(), panel = kKeyVectors * n;
  for (Index key = begin, count; key < end; key += count) {
    const Index column = key % panel;
    count = std::min(panel - column, end - key);
    float* out = to.keys + (key - column - first) * h.d;
    if (column == 0 && count < panel) std::fill_n(out, panel * h.d, 0.0f);
    kernels::transpose(h.k + (key - h.first_key) * h.k_stride, h.k_stride, count, h.d, out + column,
                       panel);
  }
  const Index vectors = ceil_div(h.d, n);
  for (Index v = 0; v < vectors;) {
    const Index width = panel_vectors(vectors - v) * n, column = v * n;
    const Index used = std::min(width, h.d - column);
    for (Index key = begin; key < end; ++key) {
      float* out = to.values + column * to.value_stride + (key - first) * width;
      std::memcpy(out, h.v + (key - h.first_key) * h.v_stride + column,
                  static_cast<std::size_t>(used) * sizeof(float));
      std::fill(out + used, out + width, 0.0f);
    }
    v += width / n;
  }
}

// A block of keys and values from float32 to words.
void encode(const Attention& a, Index first, const Panels& from, const PackedHead& to) {
  const Index n = lanes(), panel = kKeyVectors * n;
  const auto words_at = [](std::byte* base, Index words) {
    return reinterpret_cast<std::uint32_t*>(base) + words;
  };
  const auto put = [&](const float* x, Index rows, Index width, std::uint32_t* out, float* scale,
                       std::int32_t* sums) {
    if (!a.integers) return kernels::panel_to_bf16(x, rows, width, out);
    if (a.in_word == 2) return kernels::panel_to_int16(x, rows, width, scale, out);
    std::fill_n(scale, width, 0.0f);
    kernels::widen_panel_scales(x, rows, width, scale);
    kernels::panel_to_int8(x, rows, width, scale, out, sums);
  };
  for (Index key = 0; key < Attention::kKeys; key += panel) {
    std::int32_t* offsets = to.key_offsets + first + key;
    if (a.in_word == 4) std::fill_n(offsets, panel, 0);
    put(from.keys + key * a.d, a.d, panel, words_at(to.keys, (first + key) * a.d_words),
        to.key_scales + first + key, offsets);
    if (a.in_word == 4)
      for (Index i = 0; i < panel; ++i) offsets[i] *= -128;
  }
  const Index vectors = ceil_div(a.d, n);
  for (Index v = 0; v < vectors;) {
    const Index width = panel_vectors(vectors - v) * n;
    HWY_ALIGN std::int32_t unused[3 * HWY_MAX_BYTES / sizeof(float)] = {};
    float* scale = to.value_scales + first / Attention::kKeys * a.padded_d + v * n;
    put(from.values + v * n * from.value_stride, Attention::kKeys, width,
        words_at(to.values, (v * n * a.padded_keys + first * width) / a.in_word), scale, unused);
    v += width / n;
  }
}

void AttentionPack(const Attention& a, const Head& h, Index begin, Index end, bool last,
                   const PackedHead& to, std::byte* scratch) {
  if (a.in_word == 1)
    return copy_panels(h, begin, end, 0,
                       {.keys = reinterpret_cast<float*>(to.keys),
                        .values = reinterpret_cast<float*>(to.values),
                        .value_stride = a.padded_keys});
  const Index first = begin / Attention::kKeys * Attention::kKeys;
  const Panels staged = {.keys = reinterpret_cast<float*>(scratch),
                         .values = reinterpret_cast<float*>(scratch) + Attention::kKeys * a.d,
                         .value_stride = Attention::kKeys};
  if (begin == first) std::fill_n(staged.keys, Attention::kKeys * (a.d + a.padded_d), 0.0f);
  copy_panels(h, begin, end, first, staged);
  if (last) encode(a, first, staged, to);
}

}  // namespace mezzo::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mezzo::kernels {
HWY_EXPORT(AttentionPack);
HWY_EXPORT(AttentionRows);

void attention_pack(const footprint::Attention& a, const Head& h, Index begin, Index end, bool last,
                    const PackedHead& packed, std::byte* scratch) {
  HWY_DYNAMIC_DISPATCH(AttentionPack)(a, h, begin, end, last, packed, scratch);
}
void attention_rows(const footprint::Attention& a, const Head& h, Index begin, Index end,
                    const PackedHead& packed, std::byte* scratch) {
  HWY_DYNAMIC_DISPATCH(AttentionRows)(a, h, begin, end, packed, scratch);
}
}  // namespace mezzo::kernels
#endif
