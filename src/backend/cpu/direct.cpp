// Products as the definition has them: blocks of rows times panels of the weight, a slice of input
// channels after the other, so that both stay in the caches.
#include <algorithm>
#include <vector>

#include "backend/cpu/kernels/product.h"
#include "backend/cpu/left_operand.h"
#include "backend/cpu/parallel.h"

namespace mezzo {
namespace {

using Index = std::int64_t;
using Panel = PackedWeight::Panel;

constexpr Index kBlockWords = 1 << 17;  // of a block of rows that a thread works on
constexpr Index kLeastRows = 96, kMostRows = 384;
constexpr Index kPanels = 2;  // of a task

Index rows_of_block(const ProductCall& call) {
  return std::clamp<Index>(kBlockWords / call.weights.words(call.config().in), kLeastRows,
                           kMostRows);
}

// Parts of the scratch, in bytes.
struct Sizes {
  explicit Sizes(const ProductCall& call) {
    const PackedWeight& w = call.weights;
    copy = round_up(Lines(call).copy_bytes(), footprint::kLine);
    bias =
        footprint::floats(call.epilogue.channel_add.defined() ? call.images * w.config().out : 0);
    sums = footprint::floats(rows_of_block(call) * w.panel_width());
    space = footprint::floats(w.unpacks() ? w.space(w.slice()) : 0);
    products = w.operands() == kernels::Operands::kInt8 ? sums : 0;
  }
  std::size_t thread() const { return sums + space + products; }
  std::size_t total(int threads) const {
    return copy + bias + static_cast<std::size_t>(threads) * thread();
  }
  std::size_t copy, bias, sums, space, products;
};

// Pixels of a line.
struct Segment {
  Index line, begin, pixels;
};
using Block = std::vector<Segment>;

class DirectRun {
 public:
  DirectRun(const ProductCall& call, std::byte* scratch)
      : call_(call),
        w_(call.weights),
        sizes_(call),
        lines_(call),
        left_(call, lines_, scratch),
        bias_(reinterpret_cast<float*>(scratch + sizes_.copy)),
        threads_(scratch + sizes_.copy + sizes_.bias) {}

  void run() {
    if (sizes_.bias) add_to_bias();
    for (Index line = 0; line < lines_.count(); line += lines_.band(line)) {
      left_.prepare(line, lines_.band(line));
      multiply(blocks(line, lines_.band(line)));
    }
  }

 private:
  void add_to_bias() {
    const Index out = w_.config().out;
    const float* add = call_.epilogue.channel_add.data<float>();
    for (Index b = 0; b < call_.images; ++b)
      kernels::add(w_.bias(), add + b * out, out, bias_ + b * out);
  }

  // Blocks of about equal size that fit the cache. Lines that fit are not cut.
  std::vector<Block> blocks(Index first, Index count) const {
    Index rows = 0;
    for (Index line = first; line < first + count; ++line) rows += lines_.pixels(line);
    const Index most = ceil_div(rows, ceil_div(rows, rows_of_block(call_)));
    std::vector<Block> all;
    Index room = 0;
    for (Index line = first; line < first + count; ++line) {
      const Index pixels = lines_.pixels(line);
      if (pixels > room && pixels <= most) room = 0;
      for (Index done = 0; done < pixels;) {
        if (room == 0) all.emplace_back(), room = most;
        const Index n = std::min(room, pixels - done);
        all.back().push_back({line, done, n});
        done += n;
        room -= n;
      }
    }
    return all;
  }

  void multiply(const std::vector<Block>& blocks) {
    const Index groups = ceil_div(w_.panels(), kPanels);
    parallel_for(
        call_.threads, static_cast<Index>(blocks.size()) * groups, [&](Index i, int thread) {
          const Block& block = blocks[static_cast<std::size_t>(i / groups)];
          const Index first = i % groups * kPanels, last = std::min(first + kPanels, w_.panels());
          for (Index p = first; p < last; ++p) multiply(block, w_.panel(p), thread);
        });
  }

  void multiply(const Block& block, const Panel& panel, int thread) const {
    std::byte* memory = threads_ + static_cast<std::size_t>(thread) * sizes_.thread();
    auto* const sums = reinterpret_cast<float*>(memory);
    auto* const space = reinterpret_cast<float*>(memory + sizes_.sums);
    const Index in = w_.config().in, slice = w_.slice();
    const bool integers = w_.operands() == kernels::Operands::kInt8;
    // Integers are added up over a slice, then as float32 over the slices.
    float* const products =
        integers ? reinterpret_cast<float*>(memory + sizes_.sums + sizes_.space) : sums;
    for (Index k = 0; k < in; k += slice) {
      const Index count = std::min(slice, in - k);
      const auto values = w_.values(panel, k, count, space);
      float* c = products;
      for (const Segment& s : block) {
        kernels::multiply_panel(
            {.operands = w_.operands(),
             .a = static_cast<const std::uint32_t*>(left_.at(s.line, s.begin)) + w_.words(k),
             .a_stride = lines_.stride(),
             .rows = s.pixels,
             .panel = values.data,
             .depth = w_.words(count),
             .width = panel.width,
             .c = c,
             .c_stride = panel.width,
             .taps = w_.taps(),
             .a_taps = left_.taps(),
             .panel_tap = values.tap_stride},
            k > 0 && !integers);
        c += s.pixels * panel.width;
      }
      if (integers) scale(block, panel, k / slice, products, sums);
    }
    float* c = sums;
    for (const Segment& s : block) {
      finish(s, panel, c);
      c += s.pixels * panel.width;
    }
  }

  void scale(const Block& block, const Panel& panel, Index slice, const float* products,
             float* sums) const {
    for (const Segment& s : block) {
      kernels::Scales scales = left_.scales(s.line, s.begin, slice);
      scales.column = w_.scales(slice) + panel.begin;
      scales.sums = w_.sums(slice) + panel.begin;
      kernels::scale_sums(products, s.pixels, panel.width, scales, sums, slice > 0);
      products += s.pixels * panel.width;
      sums += s.pixels * panel.width;
    }
  }

  void finish(const Segment& s, const Panel& panel, float* sums) const {
    const Index out = w_.config().out, image = lines_.image(s.line);
    const Epilogue& e = call_.epilogue;
    const Index at =
        (image * call_.out_h() * call_.out_w() + lines_.pixel(s.line) + s.begin) * out +
        panel.begin;
    const float* gate =
        e.gate.defined() ? e.gate.data<float>() + image * e.gate.stride(0) + panel.begin : nullptr;
    kernels::finish_rows(sums, panel.width, s.pixels, panel.columns,
                         {.bias = (sizes_.bias ? bias_ + image * out : w_.bias()) + panel.begin,
                          .gate = gate,
                          .add = e.add.defined() ? e.add.data<float>() + at : nullptr,
                          .activation = e.activation},
                         call_.out.data<float>() + at, out);
  }

  const ProductCall& call_;
  const PackedWeight& w_;
  const Sizes sizes_;
  const Lines lines_;
  LeftOperand left_;
  float* bias_;
  std::byte* threads_;
};

}  // namespace

double direct_cost(const ProductCall& call) {
  // Of products with the operands, in those of float32.
  constexpr double kBF16 = 0.5, kInt8 = 0.27;
  const PackedWeight& w = call.weights;
  const double rate = w.operands() == kernels::Operands::kFloat  ? 1
                      : w.operands() == kernels::Operands::kBF16 ? kBF16
                                                                 : kInt8;
  const auto pixels = static_cast<double>(call.out_h() * call.out_w());
  const auto weights = static_cast<double>(w.taps() * w.config().in * w.config().out);
  return weights * (pixels * rate + (w.unpacks() ? kValueCost / kPictures : 0));
}

std::size_t direct_scratch(const ProductCall& call) { return Sizes(call).total(call.threads); }

void run_direct(const ProductCall& call, std::byte* scratch) { DirectRun(call, scratch).run(); }

}  // namespace mezzo
