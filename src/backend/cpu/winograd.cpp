#include "backend/cpu/winograd.h"

#include <algorithm>
#include <utility>

#include "backend/cpu/input_pixels.h"
#include "backend/cpu/kernels/product.h"
#include "backend/cpu/kernels/winograd.h"
#include "backend/cpu/parallel.h"
#include "backend/cpu/winograd_layout.h"

namespace mezzo {
namespace {

using kernels::WinogradTile;
using Panel = PackedWeight::Panel;

constexpr std::int64_t kMaxPoints = 64;
constexpr std::int64_t kDepth = WinogradLayout::kDepth;

// Points of an operand: float32, or integers and their factors for each kDepth input channels,
// point and row or column.
struct Points {
  float *words, *factors;
};

// A thread's part of the scratch.
struct Space {
  float *piece, *products, *spare, *space, *bias, *rounded;
};

// Panels first, ..., last - 1 of the weight, and their output channels.
struct Columns {
  std::int64_t first, last, begin, count;
};

struct Range {
  std::int64_t begin, end;
};

class WinogradRun {
 public:
  WinogradRun(const ProductCall& call, const WinogradPlan& plan, float* scratch)
      : call_(call), plan_(plan), l_(call, plan), input_(call), resident_(scratch) {
    zeros_ = scratch + l_.resident;
    std::fill_n(scratch + l_.resident, l_.c.in, 0.0f);
    threads_ = scratch + l_.resident + l_.zeros;
    made_ = threads_ + l_.workers(call.threads) * l_.thread();
    const PackedWeight& w = call.weights;
    for (std::int64_t first = 0; first < w.panels(); first += l_.panels) {
      const std::int64_t last = std::min(first + l_.panels, w.panels()),
                         begin = w.panel(first).begin;
      columns_.push_back({first, last, begin, std::min(l_.c.out, last * w.panel_width()) - begin});
    }
  }

  void run() { l_.weights_stay ? with_weights_resident() : with_picture_resident(); }

 private:
  void with_weights_resident() {
    parallel_for(workers(), size(columns_), [&](std::int64_t i, int thread) {
      const Columns& k = columns_[static_cast<std::size_t>(i)];
      transform_weight(k, all_channels(), weights_of(resident_, k), space(thread));
    });
    parallel_for(workers(), l_.slabs(), [&](std::int64_t s, int thread) {
      const Space t = space(thread);
      const auto [begin, end] = slab(s);
      const Points tiles = picture_of(t.piece, 0);
      transform_picture(begin, end, tiles, thread);
      for (const Columns& k : columns_) {
        multiply(k, end - begin, all_channels(), tiles, weights_of(resident_, k), t.products);
        transform_back(k, {begin, end}, t);
      }
    });
  }

  void with_picture_resident() {
    constexpr std::int64_t kAtOnce = 4;
    parallel_for(call_.threads, ceil_div(l_.tiles, kAtOnce), [&](std::int64_t i, int thread) {
      const std::int64_t begin = i * kAtOnce, end = std::min(begin + kAtOnce, l_.tiles);
      transform_picture(begin, end, picture_of(resident_, begin), thread);
    });
    parallel_for(workers(), size(columns_), [&](std::int64_t i, int thread) {
      const Space t = space(thread);
      const Columns& k = columns_[static_cast<std::size_t>(i)];
      for (std::int64_t j = 0; j < l_.c.in; j += l_.depth) {
        const Range channels{j, std::min(j + l_.depth, l_.c.in)};
        const Points weights = {t.piece, t.piece + l_.weight};
        transform_weight(k, channels, weights, t);
        for (std::int64_t s = 0; s < l_.slabs(); ++s) {
          const auto [begin, end] = slab(s);
          multiply(k, end - begin, channels, picture_of(resident_, begin), weights,
                   t.products + begin * k.count);
        }
      }
      transform_back(k, {0, l_.tiles}, t);
    });
  }

  // Points of tiles from one on, and of the columns k.
  Points picture_of(float* memory, std::int64_t tile) const {
    return {memory + tile * l_.words(l_.c.in), memory + l_.picture + tile};
  }
  Points weights_of(float* memory, const Columns& k) const {
    return {memory + k.begin * l_.words(l_.c.in), memory + l_.weight + k.begin};
  }

  // The tiles' points, a row of channels for each tile.
  void transform_picture(std::int64_t begin, std::int64_t end, const Points& out,
                         int thread) const {
    const std::int64_t n = plan_.m + 2;
    float* const made = made_ + thread * (l_.made + l_.made_points);
    for (std::int64_t tile = begin; tile < end; ++tile) {
      const std::int64_t image = tile / plan_.tiles(), place = tile % plan_.tiles();
      const std::int64_t top = place / plan_.across * plan_.m - l_.c.pad_top,
                         left = place % plan_.across * plan_.m - l_.c.pad_left;
      const float* pixels[kMaxPoints];
      for (std::int64_t i = 0; i < n; ++i)
        find_pixels({image, top + i, left}, n, made + i * n * l_.c.in, pixels + i * n);
      float* const words = out.words + (tile - begin) * l_.words(l_.c.in);
      if (l_.integers)
        round_tile(pixels, {words, out.factors + tile - begin}, made + l_.made);
      else
        kernels::winograd_input(plan_.m, pixels, l_.c.in, words, l_.picture_point);
    }
  }

  void round_tile(const float* const* pixels, const Points& out, float* space) const {
    for (std::int64_t j = 0; j < l_.c.in; j += kDepth) {
      const std::int64_t n = std::min(kDepth, l_.c.in - j);
      const float* some[kMaxPoints];
      for (std::int64_t p = 0; p < l_.points; ++p) some[p] = pixels[p] + j;
      kernels::winograd_input(plan_.m, some, n, space, l_.pixel_point);
      float* const factors = out.factors + j / kDepth * l_.points * l_.rows;
      for (std::int64_t p = 0; p < l_.points; ++p)
        factors[p * l_.rows] = kernels::row_to_int16(
            space + p * l_.pixel_point, n,
            reinterpret_cast<std::uint32_t*>(out.words + p * l_.picture_point + l_.words(j)));
    }
  }

  struct Place {
    std::int64_t image, row, column;
  };
  // `n` pixels of a row, zeros beside the picture; normalised ones are made in `space`.
  void find_pixels(const Place& p, std::int64_t n, float* space, const float** pixels) const {
    const bool inside = p.row >= 0 && p.row < call_.h;
    const std::int64_t first = std::max<std::int64_t>(p.column, 0),
                       last = inside ? std::min(p.column + n, call_.w) : first;
    const float* made = nullptr;
    if (input_.normalises() && first < last)
      made = input_.get(p.image, p.row * call_.w + first, last - first, space);
    for (std::int64_t j = 0; j < n; ++j) {
      const std::int64_t column = p.column + j;
      pixels[j] = column < first || column >= last ? zeros_
                  : made                           ? made + (column - first) * l_.c.in
                                                   : input_.at(p.image, p.row, column);
    }
  }

  // The weights' points, panel by panel.
  void transform_weight(const Columns& k, Range channels, const Points& out, const Space& t) const {
    for (std::int64_t i = k.first; i < k.last; ++i) {
      const Panel panel = call_.weights.panel(i);
      const std::int64_t column = panel.begin - k.begin;
      float* const words = out.words + column * l_.words(l_.depth);
      if (!l_.integers) {
        transform_panel(panel, channels, words, l_.weight_point, t);
        continue;
      }
      for (std::int64_t j = channels.begin; j < channels.end; j += kDepth) {
        const Range some = {j, std::min(j + kDepth, channels.end)};
        const std::int64_t before = j - channels.begin;
        transform_panel(panel, some, t.rounded, l_.panel_point, t);
        round_panel(panel, some,
                    {words + l_.words(before) * panel.width,
                     out.factors + before / kDepth * l_.points * l_.all_columns + column},
                    t.rounded);
      }
    }
  }

  void transform_panel(const Panel& panel, Range channels, float* out, std::int64_t point,
                       const Space& t) const {
    for (std::int64_t j = channels.begin; j < channels.end; j += l_.channels) {
      const std::int64_t n = std::min(l_.channels, channels.end - j);
      const auto values = call_.weights.float_values(panel, j, n, t.space);
      kernels::winograd_weight(
          plan_.m, {static_cast<const float*>(values.data), values.tap_stride, n, panel.width},
          out + (j - channels.begin) * panel.width, point);
    }
  }

  void round_panel(const Panel& panel, Range channels, const Points& out, const float* x) const {
    const std::int64_t n = channels.end - channels.begin;
    for (std::int64_t p = 0; p < l_.points; ++p) {
      kernels::panel_to_int16(x + p * l_.panel_point, n, panel.width,
                              out.factors + p * l_.all_columns,
                              reinterpret_cast<std::uint32_t*>(out.words + p * l_.weight_point));
    }
  }

  // Products of tiles with the columns k, summed over some channels and those before them.
  void multiply(const Columns& k, std::int64_t tiles, Range channels, const Points& picture,
                const Points& weight, float* products) const {
    for (std::int64_t p = 0; p < l_.points; ++p)
      for (std::int64_t j = channels.begin; j < channels.end; j += kDepth)
        for (std::int64_t i = k.first; i < k.last; ++i) {
          const Panel panel = call_.weights.panel(i);
          const std::int64_t column = panel.begin - k.begin, before = j - channels.begin,
                             row_factors = (j / kDepth * l_.points + p) * l_.rows,
                             factors = (before / kDepth * l_.points + p) * l_.all_columns + column;
          float* const c = products + p * l_.product_point + column;
          kernels::multiply_panel({.operands = plan_.operands,
                                   .a = picture.words + p * l_.picture_point + l_.words(j),
                                   .a_stride = l_.words(l_.c.in),
                                   .rows = tiles,
                                   .panel = weight.words + p * l_.weight_point +
                                            column * l_.words(l_.depth) +
                                            l_.words(before) * panel.width,
                                   .depth = l_.words(std::min(kDepth, channels.end - j)),
                                   .width = panel.width,
                                   .scales = {.row = picture.factors + row_factors,
                                              .row_step = 1,
                                              .column = weight.factors + factors},
                                   .before = j > 0 ? c : nullptr,
                                   .before_stride = j > 0 ? k.count : 0,
                                   .c = c,
                                   .c_stride = k.count});
        }
  }

  void transform_back(const Columns& k, Range tiles, const Space& t) const {
    for (std::int64_t tile = tiles.begin; tile < tiles.end; ++tile)
      transform_back(k, tile, t.products + (tile - tiles.begin) * k.count, t);
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
  Range slab(std::int64_t s) const { return {s * l_.slab, std::min(l_.tiles, (s + 1) * l_.slab)}; }
  Range all_channels() const { return {0, l_.c.in}; }
  Space space(int thread) const {
    float* p = threads_ + thread * l_.thread();
    const auto take = [&p](std::int64_t n) { return std::exchange(p, p + n); };
    return {.piece = take(l_.piece),
            .products = take(l_.products),
            .spare = take(l_.spare),
            .space = take(l_.space),
            .bias = take(l_.bias),
            .rounded = take(l_.rounded)};
  }

  const ProductCall& call_;
  const WinogradPlan& plan_;
  const WinogradLayout l_;
  const InputPixels input_;
  float *resident_, *zeros_, *threads_, *made_;
  std::vector<Columns> columns_;
};

}  // namespace

double cost(const PackedWeight& w, const WinogradPlan& p) {
  // Products of integers take less time than those of float32, values that become integers more.
  const double rate = p.integers() ? 0.6 : 1, value = p.integers() ? 1.6 * kValueCost : kValueCost;
  const auto points = static_cast<double>(p.points()), tiles = static_cast<double>(p.tiles()),
             in = static_cast<double>(w.config().in), out = static_cast<double>(w.config().out);
  return points * (tiles * in * out * rate + value * (tiles * (in + out) + in * out / kPictures));
}

std::optional<WinogradPlan> plan_winograd(const PackedWeight& w, std::int64_t h, std::int64_t width,
                                          int m, kernels::Operands operands) {
  const Conv2dConfig& c = w.config();
  if (c.kernel != 3 || c.stride != 1) return {};
  const bool integers = operands == kernels::Operands::kInt16;
  if (integers ? !w.rounds() : w.integers()) return {};
  const std::int64_t vector = w.panel_width() / 2;
  if (c.out % vector != 0 || c.in % vector != 0) return {};
  WinogradPlan p = {.m = m,
                    .across = 0,
                    .down = 0,
                    .out_h = h + c.pad_top + c.pad_bottom - 2,
                    .out_w = width + c.pad_left + c.pad_right - 2,
                    .operands = operands};
  if (p.out_h < 1 || p.out_w < 1) return {};
  p.across = ceil_div<std::int64_t>(p.out_w, m);
  p.down = ceil_div<std::int64_t>(p.out_h, m);
  return p;
}

std::size_t winograd_scratch(const ProductCall& call, const WinogradPlan& plan) {
  return footprint::floats(WinogradLayout(call, plan).total(call.threads));
}

void run_winograd(const ProductCall& call, const WinogradPlan& plan, std::byte* scratch) {
  WinogradRun(call, plan, reinterpret_cast<float*>(scratch)).run();
}

}  // namespace mezzo
