// Sizes of what a Winograd convolution keeps in its scratch, in words (kernels/words-inl.h). One
// operand is transformed as a whole and stays; of the other each thread transforms a piece,
// multiplies it with all of the first, and goes on. Pieces of weights are some output channels, and
// of these some input channels after the other.
#pragma once

#include "backend/cpu/kernels/words.h"
#include "backend/cpu/winograd.h"

namespace mezzo {

struct WinogradLayout {
  /// Input channels that are added up, before those after them: integers have a factor for each.
  static constexpr std::int64_t kDepth = kernels::kInt16Depth;

  WinogradLayout(const ProductCall& call, const WinogradPlan& plan);

  std::int64_t words(std::int64_t values) const { return integers ? values / 2 : values; }
  std::int64_t slabs() const { return ceil_div(tiles, slab); }
  /// Of a thread that multiplies, and threads that do: pieces of the operand that does not stay.
  std::int64_t thread() const { return piece + products + spare + space + bias + rounded; }
  std::int64_t workers(int threads) const {
    const std::int64_t pieces = weights_stay ? slabs() : ceil_div(c.out, columns);
    return std::min<std::int64_t>(threads, pieces);
  }
  std::int64_t total(int threads) const {
    return resident + zeros + workers(threads) * thread() + threads * (made + made_points);
  }

  const Conv2dConfig& c;
  bool integers, weights_stay;
  std::int64_t points, tiles;
  std::int64_t slab;               // tiles that are multiplied at a time
  std::int64_t panels, columns;    // of a piece of weights, or that are multiplied at a time
  std::int64_t channels;           // of a weight that are transformed at a time
  std::int64_t depth;              // input channels of a piece of weights
  std::int64_t rows, all_columns;  // tiles and output channels that are transformed together
  std::int64_t picture_point, weight_point, product_point;    // from one point to the next
  std::int64_t picture, weight;                               // before the factors of integers
  std::int64_t resident, zeros;                               // shared
  std::int64_t piece, products, spare, space, bias, rounded;  // of each thread that multiplies
  std::int64_t panel_point, pixel_point;                      // of what becomes integers
  std::int64_t made, made_points;  // of each thread: normalised pixels of a tile, points of it
};

}  // namespace mezzo
