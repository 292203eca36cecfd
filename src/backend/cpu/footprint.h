// Working memory of the CPU's operations as functions of shapes alone. The kernels take their
// scratch through these, and so does counting without data: the two cannot disagree.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/checked.h"

namespace mezzo::footprint {

constexpr std::size_t kLine = 64;  // bytes; parts of a scratch begin on cache lines

inline std::size_t floats(std::int64_t n) {
  return round_up(static_cast<std::size_t>(n) * sizeof(float), kLine);
}

/// Attention: rows of queries a task handles, keys it handles at a time, heads packed at a time.
/// Operands are in words of `in_word` values (kernels/words.h).
struct Attention {
  static constexpr std::int64_t kRows = 48;
  static constexpr std::int64_t kKeys = 128;
  static constexpr std::size_t kPackedLimit = std::size_t{64} << 20;
  static constexpr std::int64_t kMaxLanes = 16;  // of the widest vectors

  std::int64_t in_word = 1;
  bool integers = false;
  std::int64_t d = 0, padded_d = 0, d_words = 0;  // values of a row
  std::int64_t padded_keys = 0;
  std::int64_t heads_at_once = 1;  // (image, head) pairs whose keys and values are packed together
  std::size_t keys = 0, values = 0;  // bytes of one packed head
  std::size_t scales = 0;  // of integers: factor and offset of each key, factors of values
  std::size_t thread = 0;  // bytes each thread needs
  std::size_t packed() const { return keys + values + scales; }
  std::size_t total(int threads) const {
    return static_cast<std::size_t>(heads_at_once) * packed() +
           static_cast<std::size_t>(threads) * thread;
  }
};

inline Attention attention(std::int64_t pairs, std::int64_t lk, std::int64_t d,
                           std::int64_t in_word, bool integers) {
  Attention a;
  a.in_word = in_word;
  a.integers = integers;
  a.d = d;
  a.padded_d = round_up(d, Attention::kMaxLanes);
  a.d_words = ceil_div(d, in_word);
  a.padded_keys = round_up(lk, Attention::kKeys);
  a.keys = floats(a.padded_keys * a.d_words);
  a.values = floats(a.padded_keys / in_word * a.padded_d);
  if (integers)
    a.scales = floats(2 * a.padded_keys + a.padded_keys / Attention::kKeys * a.padded_d);
  const auto fit =
      static_cast<std::int64_t>(Attention::kPackedLimit / std::max<std::size_t>(a.packed(), 1));
  a.heads_at_once = std::clamp<std::int64_t>(fit, 1, std::max<std::int64_t>(pairs, 1));
  // Queries and their factors, results, scores, probabilities; for packing, a block of keys and
  // values as float32.
  const std::int64_t values = Attention::kRows * a.padded_d;
  const std::size_t rows =
      floats(Attention::kRows * a.d_words) + 4 * floats(Attention::kRows) +
      floats(Attention::kRows * Attention::kMaxLanes) + floats(values) +
      floats(Attention::kRows * Attention::kKeys) +
      (in_word > 1 ? floats(Attention::kRows * Attention::kKeys / in_word) : 0);
  const std::size_t staged = in_word > 1 ? floats(Attention::kKeys * (d + a.padded_d)) : 0;
  a.thread = std::max(rows, staged);
  return a;
}

/// GroupNorm: statistics of pieces of `rows` pixels, then a factor and an offset for each channel
/// of each image.
struct GroupNorm {
  std::int64_t rows = 1, pieces = 1;  // pixels in a piece, pieces of an image
  std::size_t partial = 0, affine = 0;
  std::size_t total() const { return partial + affine; }
};

inline GroupNorm group_norm(std::int64_t images, std::int64_t pixels, std::int64_t channels,
                            int groups) {
  constexpr std::int64_t kPieceValues =
      16384;  // 64 KiB: read twice from the cache, once from memory
  GroupNorm g;
  g.rows = std::max<std::int64_t>(1, kPieceValues / std::max<std::int64_t>(channels, 1));
  g.pieces = ceil_div(std::max<std::int64_t>(pixels, 1), g.rows);
  g.partial =
      round_up(static_cast<std::size_t>(images * g.pieces * groups) * 2 * sizeof(double), kLine);
  g.affine = floats(2 * images * channels);
  return g;
}

}  // namespace mezzo::footprint
