#include "backend/cpu/winograd_layout.h"

#include <algorithm>

namespace mezzo {
namespace {

constexpr std::int64_t kSlab = 48;  // tiles
// The more tiles share a pass over all of the weights, the fewer passes: as many as the last cache
// level has room for, of all threads together.
constexpr std::int64_t kLargeSlab = 144, kSmallSlab = 24, kSlabs = 2 * kLargeSlab;
constexpr std::int64_t kManyColumns = 128;     // output channels multiplied at a time
constexpr std::int64_t kPieceWords = 5 << 16;  // or of weights that stay in a core's cache
constexpr std::int64_t kGap = 16;  // values between points, so that they differ in cache sets
constexpr std::int64_t kWeightChannels = 64;

std::int64_t aligned(std::int64_t n) { return round_up<std::int64_t>(n, 16); }

// As many slabs for each thread as for any other, if they are not too small then.
std::int64_t large_slab(std::int64_t tiles, int threads) {
  const std::int64_t most = std::clamp(kSlabs / threads, kSlab, kLargeSlab),
                     slabs = round_up<std::int64_t>(ceil_div(tiles, most), threads);
  return std::max(kSmallSlab, ceil_div(tiles, slabs));
}

}  // namespace

WinogradLayout::WinogradLayout(const ProductCall& call, const WinogradPlan& plan)
    : c(call.weights.config()),
      integers(plan.integers()),
      points(plan.points()),
      tiles(call.images * plan.tiles()) {
  const PackedWeight& w = call.weights;
  weights_stay = 4 * c.out <= 5 * tiles;  // unless they are clearly more than the picture
  slab = std::min(weights_stay ? large_slab(tiles, call.threads) : kSlab, tiles);
  depth = weights_stay ? c.in : std::min(kDepth, c.in);
  const std::int64_t room = weights_stay ? kManyColumns : kPieceWords / (points * words(depth)),
                     panel = w.panel_width();
  panels = std::clamp<std::int64_t>(room / panel, 1, w.panels());
  columns = std::min(panels * panel, c.out);
  channels = std::min(w.kept() ? w.slice() : kWeightChannels, c.in);
  rows = weights_stay ? slab : tiles;
  all_columns = weights_stay ? c.out : columns;
  picture_point = rows * words(c.in) + kGap;
  weight_point = all_columns * words(depth) + kGap;
  product_point = rows * columns + kGap;
  picture = aligned(points * picture_point);
  weight = aligned(points * weight_point);
  const std::int64_t factors = integers ? points * ceil_div(depth, kDepth) : 0,
                     all_factors = integers ? points * ceil_div(c.in, kDepth) : 0,
                     whole_picture = picture + aligned(all_factors * rows),
                     whole_weight = weight + aligned(factors * all_columns);
  resident = weights_stay ? whole_weight : whole_picture;
  piece = weights_stay ? whole_picture : whole_weight;
  panel_point = std::min(kDepth, depth) * panel + kGap;
  pixel_point = std::min(kDepth, c.in) + kGap;
  rounded = integers ? aligned(points * panel_point) : 0;
  products = aligned(points * product_point);
  zeros = aligned(c.in);
  spare = aligned(columns);
  space = w.storage() == DType::kF32 ? 0 : aligned(w.space(channels));
  bias = aligned(columns);
  made = call.input.factors.defined() ? aligned(points * c.in) : 0;
  made_points = integers ? aligned(points * pixel_point) : 0;
}

}  // namespace mezzo
