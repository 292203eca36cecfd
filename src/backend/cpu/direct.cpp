// Products as the definition has them: blocks of rows times panels of the weight, a slice of input
// channels after the other, so that both stay in the caches.
#include <algorithm>
#include <array>
#include <vector>

#include "backend/cpu/kernels/product.h"
#include "backend/cpu/left_operand.h"
#include "backend/cpu/parallel.h"

namespace mezzo {
namespace {

using Index = std::int64_t;
using Panel = PackedWeight::Panel;

constexpr Index kBlockWords = 1 << 18;  // of a block of rows that a thread works on
constexpr Index kLeastRows = 96, kMostRows = 384;
constexpr Index kPanels = 2;  // of a task, at least
constexpr Index kTasks = 8;   // of a thread, if there are so many panels

Index rows_of_block(const ProductCall& call) {
  return std::clamp<Index>(kBlockWords / call.weights.row_words(), kLeastRows, kMostRows);
}

// Parts of the scratch, in bytes.
struct Sizes {
  explicit Sizes(const ProductCall& call) {
    const PackedWeight& w = call.weights;
    copy = round_up(Lines(call).copy_bytes(), footprint::kLine);
    bias = footprint::floats(
        call.epilogue.channel_add.defined() ? call.images * w.panels() * w.panel_width() : 0);
    sums = footprint::floats(rows_of_block(call) * w.panel_width());
    gates = call.epilogue.geglu ? sums : 0;
    space = footprint::floats(w.unpacks() ? w.space(w.slice()) : 0);
    made = Lines(call).space_bytes();
  }
  std::size_t thread() const { return std::max(sums + gates + space, made); }
  std::size_t total(int threads) const {
    return copy + bias + static_cast<std::size_t>(threads) * thread();
  }
  std::size_t copy, bias, sums, gates, space, made;
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
      left_.prepare(line, lines_.band(line),
                    [&](int thread) { return reinterpret_cast<float*>(memory(thread)); });
      multiply(blocks(line, lines_.band(line)));
    }
  }

 private:
  std::byte* memory(int thread) const {
    return threads_ + static_cast<std::size_t>(thread) * sizes_.thread();
  }

  void add_to_bias() {
    const Index out = w_.config().out;
    const float* add = call_.epilogue.channel_add.data<float>();
    for (Index b = 0; b < call_.images; ++b)
      kernels::add(w_.bias(), add + b * out, out, bias_ + b * w_.panels() * w_.panel_width());
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
    const Index panels = results(), count = static_cast<Index>(blocks.size());
    const Index of_task = std::max(panels * count / (kTasks * call_.threads), kPanels);
    const Index groups = ceil_div(panels, of_task);
    parallel_for(call_.threads, count * groups, [&](Index i, int thread) {
      const Block& block = blocks[static_cast<std::size_t>(i / groups)];
      const Index first = i % groups * of_task, last = std::min(first + of_task, panels);
      for (Index p = first; p < last; ++p) compute(block, p, thread);
    });
  }

  // Panels of the result.
  Index results() const { return call_.epilogue.geglu ? w_.panels() / 2 : w_.panels(); }

  void compute(const Block& block, Index p, int thread) const {
    std::byte* own = memory(thread);
    auto* sums = reinterpret_cast<float*>(own);
    auto* gates = reinterpret_cast<float*>(own + sizes_.sums);
    auto* space = reinterpret_cast<float*>(own + sizes_.sums + sizes_.gates);
    const Panel panel = w_.panel(p);
    if (call_.epilogue.geglu) {
      multiply(block, panel, sums, space, false);
      multiply(block, w_.panel(p + results()), gates, space, false);
      return finish_geglu(block, panel, sums, gates);
    }
    // What only adds and multiplies is done to the last sums while they are in registers.
    const bool at_once =
        call_.epilogue.activation == Activation::kNone && panel.columns == panel.width;
    multiply(block, panel, sums, space, at_once);
    if (!at_once) finish(block, panel, sums);
  }

  // Sums of a block and a panel, its segments one after the other; or, where they are finished, the
  // results of these.
  void multiply(const Block& block, const Panel& panel, float* sums, float* space,
                bool finishes) const {
    const Index width = panel.width, terms = w_.terms();
    for (Index i = 0; i < terms; ++i) {
      const auto term = w_.term(panel, i, space);
      float* c = sums;
      for (const Segment& s : block) {
        kernels::PanelProduct p = {
            .operands = w_.operands(),
            .a = static_cast<const std::uint32_t*>(left_.at(s.line, s.begin)) + term.first,
            .a_stride = lines_.stride(),
            .rows = s.pixels,
            .panel = term.values.data,
            .depth = term.depth,
            .width = width,
            .taps = w_.taps(),
            .a_taps = left_.taps(),
            .panel_tap = term.values.tap_stride,
            .scales = scales(s, panel, i, term.values.scales),
            .before = i > 0 ? c : bias(s) + panel.begin,
            .before_stride = i > 0 ? width : 0,
            .c = c,
            .c_stride = width};
        if (finishes && i == terms - 1) write_results(s, panel, p);
        kernels::multiply_panel(p);
        c += s.pixels * width;
      }
    }
  }

  kernels::Scales scales(const Segment& s, const Panel& panel, Index term,
                         const float* columns) const {
    if (!w_.integers()) return {};
    kernels::Scales scales = left_.scales(s.line, s.begin, term);
    scales.column = columns;
    if (const std::int32_t* sums = w_.sums(term)) scales.sums = sums + panel.begin;
    return scales;
  }

  void write_results(const Segment& s, const Panel& panel, kernels::PanelProduct& p) const {
    const Index out = w_.config().out, at = offset(s, out) + panel.begin;
    const Epilogue& e = call_.epilogue;
    p.gate = gate(s, panel);
    p.add = e.add.defined() ? e.add.data<float>() + at : nullptr;
    p.c = call_.out.data<float>() + at;
    p.c_stride = out;
    p.c_is_far = true;
  }

  // Of the segment's image.
  const float* bias(const Segment& s) const {
    return sizes_.bias ? bias_ + lines_.image(s.line) * w_.panels() * w_.panel_width() : w_.bias();
  }
  const float* gate(const Segment& s, const Panel& panel) const {
    const Tensor& gate = call_.epilogue.gate;
    if (!gate.defined()) return nullptr;
    return gate.data<float>() + lines_.image(s.line) * gate.stride(0) + panel.begin;
  }

  // Values before a segment's first in the result, which has so many channels.
  Index offset(const Segment& s, Index channels) const {
    return (lines_.image(s.line) * call_.out_h() * call_.out_w() + lines_.pixel(s.line) + s.begin) *
           channels;
  }

  void finish(const Block& block, const Panel& panel, const float* sums) const {
    const Index out = w_.config().out;
    const Epilogue& e = call_.epilogue;
    for (const Segment& s : block) {
      const Index at = offset(s, out) + panel.begin;
      kernels::finish_rows(sums, panel.width, s.pixels, panel.columns,
                           {.gate = gate(s, panel),
                            .add = e.add.defined() ? e.add.data<float>() + at : nullptr,
                            .activation = e.activation},
                           call_.out.data<float>() + at, out);
      sums += s.pixels * panel.width;
    }
  }

  void finish_geglu(const Block& block, const Panel& panel, const float* values,
                    const float* gates) const {
    const Index half = w_.config().out / 2;
    for (const Segment& s : block) {
      kernels::finish_geglu(values, gates, panel.width, s.pixels, panel.width,
                            call_.out.data<float>() + offset(s, half) + panel.begin, half);
      values += s.pixels * panel.width;
      gates += s.pixels * panel.width;
    }
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
  constexpr std::array kRates = {1.0, 0.5, 0.27, 0.55};  // as Operands
  const PackedWeight& w = call.weights;
  const double rate = kRates[static_cast<std::size_t>(w.operands())];
  const auto pixels = static_cast<double>(call.out_h() * call.out_w());
  const auto weights = static_cast<double>(w.taps() * w.config().in * w.config().out);
  return weights * (pixels * rate + (w.unpacks() ? kValueCost / kPictures : 0));
}

std::size_t direct_scratch(const ProductCall& call) { return Sizes(call).total(call.threads); }

void run_direct(const ProductCall& call, std::byte* scratch) { DirectRun(call, scratch).run(); }

}  // namespace mezzo
