#include "backend/cpu/winograd.h"

#include <algorithm>
#include <utility>

#include "backend/cpu/kept_weights.h"
#include "backend/cpu/kernels/winograd.h"
#include "backend/cpu/parallel.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

using kernels::WinogradTile;
using Chunk = PackedProduct::Chunk;

constexpr std::int64_t kSlab = 48;     // tiles multiplied at a time
constexpr std::int64_t kColumns = 64;  // output channels multiplied at a time, if there is room
constexpr std::int64_t kPieceValues = 3 << 18;  // 3 MiB of transformed weights
constexpr std::int64_t kGap = 16;  // values between points, so that they differ in cache sets
constexpr std::int64_t kMaxPoints = 64;

// Sizes of the parts of the scratch, in values. One operand is transformed as a whole and stays;
// of the other each thread transforms a piece, multiplies it with all of the first, and goes on.
struct Layout {
  Layout(const ProductCall& call, const WinogradPlan& plan)
      : c(call.weights.config()), points(plan.points()), tiles(call.images * plan.tiles()) {
    const std::int64_t all_rows = round_up(tiles, kernels::kPanelRows);
    slab = std::min(kSlab, all_rows);
    weights_stay = c.out <= all_rows;
    const std::int64_t room = weights_stay ? kColumns : kPieceValues / (points * c.in),
                       panel = kernels::panel_width();
    columns = std::clamp(room / panel * panel, panel, std::min(kColumns, c.out));
    picture_point = (weights_stay ? slab : all_rows) * c.in + kGap;
    weight_point = (weights_stay ? c.out : columns) * c.in + kGap;
    product_point = slab * columns + kGap;
    const std::int64_t picture = points * picture_point, weight = points * weight_point;
    resident = aligned(weights_stay ? weight : picture);
    piece = aligned(weights_stay ? picture : weight);
    products = aligned(points * product_point);
    zeros = aligned(c.in);
    spare = aligned(columns);
    block = aligned(c.kernel * c.kernel * kernels::panel_width() * kernels::panel_width());
    if (call.weights.kept()) {
      slice = kept_slice(call.weights, call.weights.blocks(call.weights.chunks().front())->block);
      block = plain = aligned(slice.values);
    }
    bias = aligned(columns);
  }
  static std::int64_t aligned(std::int64_t n) { return round_up<std::int64_t>(n, 16); }
  std::int64_t thread() const { return piece + products + spare + block + plain + bias; }
  // Threads that have something to do: pieces of the operand that does not stay.
  std::int64_t workers(int threads) const {
    const std::int64_t pieces = weights_stay ? ceil_div(tiles, slab) : ceil_div(c.out, columns);
    return std::min<std::int64_t>(threads, pieces);
  }
  std::int64_t total(int threads) const { return resident + zeros + workers(threads) * thread(); }

  const Conv2dConfig& c;
  std::int64_t points, tiles, slab, columns;
  bool weights_stay;
  std::int64_t picture_point, weight_point, product_point;
  KeptSlice slice;
  std::int64_t resident, zeros;                                 // shared
  std::int64_t piece, products, spare, block, plain = 0, bias;  // of each thread
};

// A thread's part of the scratch.
struct Space {
  float *piece, *products, *spare, *block, *plain, *bias;
};

// Output channels begin, ..., begin + count - 1 of the whole, in one chunk.
struct Columns {
  const Chunk& chunk;
  std::int64_t begin, count;
};

class WinogradRun {
 public:
  WinogradRun(const ProductCall& call, const WinogradPlan& plan, float* scratch)
      : call_(call), plan_(plan), l_(call, plan), resident_(scratch) {
    zeros_ = scratch + l_.resident;
    std::fill_n(scratch + l_.resident, l_.c.in, 0.0f);
    threads_ = scratch + l_.resident + l_.zeros;
    for (const Chunk& chunk : call.weights.chunks())
      for (std::int64_t i = 0; i < chunk.count; i += l_.columns)
        columns_.push_back({chunk, chunk.begin + i, std::min(l_.columns, chunk.count - i)});
  }

  void run() { l_.weights_stay ? with_weights_resident() : with_picture_resident(); }

 private:
  void with_weights_resident() {
    parallel_for(workers(), size(columns_), [&](std::int64_t i, int thread) {
      const Columns& k = columns_[static_cast<std::size_t>(i)];
      transform_weight(k, resident_ + k.begin * l_.c.in, space(thread));
    });
    parallel_for(workers(), slabs(), [&](std::int64_t s, int thread) {
      const Space t = space(thread);
      const auto [begin, end] = slab(s);
      transform_picture(begin, end, t.piece);
      for (const Columns& k : columns_)
        multiply(k, {begin, end}, t.piece, resident_ + k.begin * l_.c.in, t);
    });
  }

  void with_picture_resident() {
    constexpr std::int64_t kAtOnce = 4;
    parallel_blocks(call_.threads, l_.tiles, kAtOnce, [&](std::int64_t begin, std::int64_t end) {
      transform_picture(begin, end, resident_ + begin * l_.c.in);
    });
    parallel_for(workers(), size(columns_), [&](std::int64_t i, int thread) {
      const Space t = space(thread);
      const Columns& k = columns_[static_cast<std::size_t>(i)];
      transform_weight(k, t.piece, t);
      for (std::int64_t s = 0; s < slabs(); ++s)
        multiply(k, slab(s), resident_ + slab(s).first * l_.c.in, t.piece, t);
    });
  }

  // The tiles' points, a row of channels for each tile.
  void transform_picture(std::int64_t begin, std::int64_t end, float* out) const {
    const int n = plan_.m + 2;
    const Conv2dConfig& c = l_.c;
    for (std::int64_t tile = begin; tile < end; ++tile) {
      const std::int64_t image = tile / plan_.tiles(), place = tile % plan_.tiles();
      const std::int64_t top = place / plan_.across * plan_.m - c.pad_top,
                         left = place % plan_.across * plan_.m - c.pad_left;
      const float* x = call_.x.data<float>() + image * call_.h * call_.w * c.in;
      const float* pixels[kMaxPoints];
      for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < n; ++j) {
          const std::int64_t row = top + i, column = left + j;
          const bool inside = row >= 0 && row < call_.h && column >= 0 && column < call_.w;
          pixels[i * n + j] = inside ? x + (row * call_.w + column) * c.in : zeros_;
        }
      kernels::winograd_input(plan_.m, pixels, c.in, out + (tile - begin) * c.in, l_.picture_point);
    }
  }

  // Consecutive blocks of input channels of a weight, as float32.
  struct WeightPiece {
    const float* values;
    std::int64_t channels;
  };
  // From input channel i of the block of output channels that begins at column o on.
  WeightPiece weight_at(const Columns& k, std::int64_t o, std::int64_t i, const Space& t) const {
    const PackedProduct& w = call_.weights;
    if (w.kept()) {
      expand_slice(w, l_.slice, k.begin + o, i, t.plain, t.block);
      return {t.block, std::min(l_.slice.channels, l_.c.in - i)};
    }
    const onednn::WeightBlocks b = *w.blocks(k.chunk);
    const std::int64_t at = static_cast<std::int64_t>(k.chunk.offset) +
                            (k.begin - k.chunk.begin + o) / b.block * b.out_stride +
                            i / b.block * b.in_stride;
    const std::byte* stored = w.weights() + at * static_cast<std::int64_t>(info(w.storage()).bytes);
    if (w.storage() == DType::kF32) return {reinterpret_cast<const float*>(stored), b.block};
    to_float(w.storage(), stored, l_.c.kernel * l_.c.kernel * b.block * b.block, t.block);
    return {t.block, b.block};
  }

  // The weights' points, in panels as the product reads them.
  void transform_weight(const Columns& k, float* out, const Space& t) const {
    const std::int64_t width = kernels::panel_width(), block = call_.weights.blocks(k.chunk)->block,
                       values = l_.c.kernel * l_.c.kernel * block;  // of an input channel
    for (std::int64_t o = 0; o < k.count; o += block)
      for (std::int64_t i = 0; i < l_.c.in;) {
        const WeightPiece piece = weight_at(k, o, i, t);
        for (std::int64_t j = 0; j < piece.channels; j += block)
          kernels::winograd_weight(plan_.m, piece.values + j * values, block,
                                   out + o / width * width * l_.c.in + (i + j) * width + o % width,
                                   l_.weight_point);
        i += piece.channels;
      }
  }

  // Pixels of the tiles [begin, end) and channels k of the result.
  void multiply(const Columns& k, std::pair<std::int64_t, std::int64_t> tiles, const float* picture,
                const float* weight, const Space& t) const {
    const std::int64_t rows = round_up(tiles.second - tiles.first, kernels::kPanelRows);
    for (std::int64_t p = 0; p < l_.points; ++p)
      kernels::panel_product(
          picture + p * l_.picture_point, l_.c.in, rows, weight + p * l_.weight_point, l_.c.in,
          k.count / kernels::panel_width(), t.products + p * l_.product_point, k.count);
    for (std::int64_t tile = tiles.first; tile < tiles.second; ++tile)
      transform_back(k, tile, t.products + (tile - tiles.first) * k.count, t);
  }

  void transform_back(const Columns& k, std::int64_t tile, const float* products,
                      const Space& t) const {
    const std::int64_t image = tile / plan_.tiles(), place = tile % plan_.tiles();
    const std::int64_t top = place / plan_.across * plan_.m, left = place % plan_.across * plan_.m;
    const Epilogue& e = call_.epilogue;
    const bool adds = e.add.defined() && e.activation == Activation::kNone;
    WinogradTile to = {};
    for (std::int64_t i = 0; i < plan_.m; ++i)
      for (std::int64_t j = 0; j < plan_.m; ++j) {
        const bool inside = top + i < plan_.out_h && left + j < plan_.out_w;
        const std::int64_t at =
            ((image * plan_.out_h + top + i) * plan_.out_w + left + j) * l_.c.out + k.begin;
        to.out[i * plan_.m + j] = inside ? call_.out.data<float>() + at : t.spare;
        if (adds) to.add[i * plan_.m + j] = inside ? e.add.data<float>() + at : t.spare;
      }
    const float* bias = call_.weights.bias() + k.begin;
    if (e.channel_add.defined()) {
      kernels::add(bias, e.channel_add.data<float>() + image * l_.c.out + k.begin, k.count, t.bias);
      bias = t.bias;
    }
    kernels::winograd_output(plan_.m, products, l_.product_point, bias, k.count, to);
  }

  static std::int64_t size(const std::vector<Columns>& c) {
    return static_cast<std::int64_t>(c.size());
  }
  int workers() const { return static_cast<int>(l_.workers(call_.threads)); }
  std::int64_t slabs() const { return ceil_div(l_.tiles, l_.slab); }
  std::pair<std::int64_t, std::int64_t> slab(std::int64_t s) const {
    return {s * l_.slab, std::min(l_.tiles, (s + 1) * l_.slab)};
  }
  Space space(int thread) const {
    float* p = threads_ + thread * l_.thread();
    const auto take = [&p](std::int64_t n) { return std::exchange(p, p + n); };
    return {.piece = take(l_.piece),
            .products = take(l_.products),
            .spare = take(l_.spare),
            .block = take(l_.block),
            .plain = take(l_.plain),
            .bias = take(l_.bias)};
  }

  const ProductCall& call_;
  const WinogradPlan& plan_;
  const Layout l_;
  float *resident_, *zeros_, *threads_;
  std::vector<Columns> columns_;
};

// Time in products of two numbers at the peak. A value of a transformed or widened operand costs as
// much as kValueCost of them (measured with bench/backend_bench); weights are transformed once for
// the two pictures that guidance makes of one.
constexpr double kValueCost = 20, kPictures = 2;

double cost(const PackedProduct& w, const WinogradPlan& p) {
  const auto points = static_cast<double>(p.points()), tiles = static_cast<double>(p.tiles()),
             in = static_cast<double>(w.config().in), out = static_cast<double>(w.config().out);
  return points * (tiles * in * out + kValueCost * (tiles * (in + out) + in * out / kPictures));
}

double direct_cost(const PackedProduct& w, const WinogradPlan& p) {
  const auto pixels = static_cast<double>(p.out_h * p.out_w),
             weights = 9 * static_cast<double>(w.config().in * w.config().out);
  const bool widens = w.form() == PackedProduct::Form::kWidened;
  return weights * (pixels + (widens ? kValueCost / kPictures : 0));
}

}  // namespace

std::optional<WinogradPlan> plan_winograd(const PackedProduct& w, std::int64_t h,
                                          std::int64_t width, int m) {
  const Conv2dConfig& c = w.config();
  if (c.kernel != 3 || c.stride != 1 || w.form() == PackedProduct::Form::kBF16) return {};
  if (c.out % kernels::panel_width() != 0) return {};
  for (const Chunk& chunk : w.chunks()) {
    const auto blocks = w.blocks(chunk);
    if (!blocks || !kernels::winograd_reads(blocks->block) || c.in % blocks->block != 0) return {};
  }
  WinogradPlan p = {.m = m,
                    .across = 0,
                    .down = 0,
                    .out_h = h + c.pad_top + c.pad_bottom - 2,
                    .out_w = width + c.pad_left + c.pad_right - 2};
  if (p.out_h < 1 || p.out_w < 1) return {};
  p.across = ceil_div<std::int64_t>(p.out_w, m);
  p.down = ceil_div<std::int64_t>(p.out_h, m);
  return p;
}

std::optional<WinogradPlan> choose_winograd(const PackedProduct& w, std::int64_t h,
                                            std::int64_t width) {
  std::optional<WinogradPlan> best;
  double least = 0;
  for (const int m : {4, 6}) {
    const auto p = plan_winograd(w, h, width, m);
    if (!p) return {};
    if (!best) least = direct_cost(w, *p);
    if (cost(w, *p) < least) best = p, least = cost(w, *p);
  }
  return best;
}

std::size_t winograd_scratch(const ProductCall& call, const WinogradPlan& plan) {
  return footprint::floats(Layout(call, plan).total(call.threads));
}

void run_winograd(const ProductCall& call, const WinogradPlan& plan, std::byte* scratch) {
  WinogradRun(call, plan, reinterpret_cast<float*>(scratch)).run();
}

}  // namespace mezzo
