#include "backend/cpu/product_run.h"

#include <utility>

#include "backend/cpu/isa.h"
#include "backend/cpu/kept_weights.h"
#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/parallel.h"
#include "backend/cpu/product_tiles.h"
#include "backend/cpu/winograd.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

using Chunk = PackedProduct::Chunk;
using Form = PackedProduct::Form;
using Kernel = ProductPlan::Kernel;

constexpr std::int64_t kBlock = 1 << 13;  // values a thread converts or finishes at a time

Residual residual_of(const ProductCall& call) {
  const Epilogue& e = call.epilogue;
  // An activation, a gate or a chunked result is finished in a pass of its own, which then also
  // adds.
  if (!e.add.defined() || e.activation != Activation::kNone || e.gate.defined() ||
      call.weights.chunks().size() > 1)
    return Residual::kNone;
  if (e.add.raw() == call.out.raw()) return Residual::kSameMemory;
  // oneDNN 2.6 adds wrong values from other memory in its SSE 4.1 kernels.
  return isa_name() == "sse4" ? Residual::kNone : Residual::kOtherMemory;
}

ProductPlan& plan_of(const ProductCall& c) {
  return c.weights.plan(c.h, c.w, residual_of(c), c.threads);
}

struct Scratch {
  Scratch(std::byte* p, const footprint::Product& s) {
    const auto take = [&p](std::size_t n) { return std::exchange(p, p + n); };
    bias = reinterpret_cast<float*>(take(s.bias));
    weights = reinterpret_cast<float*>(take(s.weights));
    plain = reinterpret_cast<float*>(take(s.plain));
    repacked = take(s.repacked);
    result = reinterpret_cast<float*>(take(s.result));
    input = take(s.input);
    library = take(s.library);
    tiles = take(s.tiles);
  }
  float *bias, *weights, *plain, *result;
  std::byte *repacked, *input, *library, *tiles;
};

// Activation and residual of n finished products.
void finish_values(const ProductCall& call, std::int64_t n, const float* add, float* out) {
  parallel_blocks(call.threads, n, kBlock, [&](std::int64_t i, std::int64_t end) {
    kernels::finish(out + i, add ? add + i : nullptr, end - i, call.epilogue.activation, out + i);
  });
}

std::optional<WinogradPlan> winograd_of(const ProductCall& c) {
  if (!c.winograd) return {};
  return choose_winograd(c.weights, c.h, c.w);
}

class ProductRun {
 public:
  ProductRun(const ProductCall& call, std::byte* scratch)
      : call_(call),
        w_(call.weights),
        plan_(plan_of(call)),
        residual_(residual_of(call)),
        scratch_(scratch, product_scratch(call)),
        stream_(cpu_engine()) {}

  void run() {
    for (const Chunk& chunk : w_.chunks()) {
      Kernel& kernel = plan_.kernels[chunk.kernel];
      if (!kernel.primitive) {
        const ThreadCount threads(kernel.threads);
        kernel.primitive = dnnl::convolution_forward(kernel.description);
      }
      const void* weights = in_layout(chunk, kernel, in_form(chunk));
      for (std::int64_t image = 0; image < call_.images; ++image)
        run_image(chunk, kernel, weights, image);
    }
  }

 private:
  // The chunk's weights as the products need them: widened if they are kept in 16 bits or fewer.
  const void* in_form(const Chunk& chunk) {
    if (w_.kept()) return expanded(chunk);
    const auto type_bytes = info(w_.storage()).bytes;
    const std::byte* packed = w_.weights() + chunk.offset * static_cast<std::size_t>(type_bytes);
    if (w_.form() != Form::kWidened) return packed;
    parallel_blocks(call_.threads, static_cast<std::int64_t>(w_.values(chunk)), kBlock,
                    [&](std::int64_t i, std::int64_t end) {
                      to_float(w_.storage(), packed + i * type_bytes, end - i,
                               scratch_.weights + i);
                    });
    return scratch_.weights;
  }

  const void* expanded(const Chunk& chunk) {
    const Conv2dConfig& c = w_.config();
    if (const auto blocks = w_.blocks(chunk)) {
      const KeptSlice slice = kept_slice(w_, blocks->block);
      parallel_for(
          call_.threads, ceil_div(chunk.count, slice.block), [&](std::int64_t o, int thread) {
            float* plain = scratch_.plain + thread * (footprint::floats(slice.values) / 4);
            for (std::int64_t i = 0; i < c.in; i += slice.channels)
              expand_slice(
                  w_, slice, chunk.begin + o * slice.block, i, plain,
                  scratch_.weights + o * blocks->out_stride + i / slice.block * blocks->in_stride);
          });
      return scratch_.weights;
    }
    parallel_blocks(call_.threads, chunk.count, 1, [&](std::int64_t row, std::int64_t) {
      expand_rows(w_, chunk.begin + row, 1, scratch_.plain + row * c.in * c.kernel * c.kernel);
    });
    const dnnl::memory::desc rows({chunk.count, c.in, c.kernel, c.kernel},
                                  dnnl::memory::data_type::f32, dnnl::memory::format_tag::oihw);
    reorder(rows, scratch_.plain, w_.layout(chunk), scratch_.weights);
    return scratch_.weights;
  }

  void reorder(const dnnl::memory::desc& from_layout, const void* from,
               const dnnl::memory::desc& to_layout, void* to) {
    dnnl::memory in(from_layout, cpu_engine(), const_cast<void*>(from)),
        out(to_layout, cpu_engine(), to);
    dnnl::reorder(in, out).execute(stream_, in, out);
    stream_.wait();
  }

  const void* in_layout(const Chunk& chunk, const Kernel& kernel, const void* weights) {
    if (!kernel.repack) return weights;
    reorder(w_.layout(chunk), weights, kernel.description.weights_desc(), scratch_.repacked);
    return scratch_.repacked;
  }

  const void* input(std::int64_t image) const {
    const std::int64_t n = call_.h * call_.w * w_.config().in;
    const float* x = call_.x.data<float>() + image * n;
    if (w_.form() != Form::kBF16) return x;
    parallel_blocks(call_.threads, n, kBlock, [&](std::int64_t i, std::int64_t end) {
      from_float(DType::kBF16, x + i, end - i, scratch_.input + 2 * i);
    });
    return scratch_.input;
  }

  const float* bias(const Chunk& chunk, std::int64_t image) const {
    const float* bias = w_.bias() + chunk.begin;
    const Tensor& each = call_.epilogue.channel_add;
    if (!each.defined()) return bias;
    kernels::add(bias, each.data<float>() + image * w_.config().out + chunk.begin, chunk.count,
                 scratch_.bias);
    return scratch_.bias;
  }

  void run_image(const Chunk& chunk, const Kernel& kernel, const void* weights,
                 std::int64_t image) {
    const std::int64_t at = image * plan_.out_h * plan_.out_w * w_.config().out;
    float* out = call_.out.data<float>() + at;
    const Tensor& residual = call_.epilogue.add;
    const float* add = residual.defined() ? residual.data<float>() + at : nullptr;
    if (plan_.tile_h) {
      const TiledImage parts = {static_cast<const float*>(input(image)), add, out, weights,
                                bias(chunk, image)};
      return run_tiles(call_, plan_, parts, scratch_.tiles);
    }
    const bool whole = w_.chunks().size() == 1;
    const Tensor& gates = call_.epilogue.gate;
    const float* gate = gates.defined() ? gates.data<float>() + image * gates.stride(0) : nullptr;
    float* result = whole ? out : scratch_.result;
    multiply(kernel, input(image), weights, bias(chunk, image), add, result);
    if (!whole || gate)
      finish_rows(chunk, {.x = result, .gate = gate, .add = add, .out = out});
    else if (residual_ == Residual::kNone &&
             (add || call_.epilogue.activation != Activation::kNone))
      finish(add, out);
  }

  void multiply(const Kernel& kernel, const void* x, const void* weights, const float* bias,
                const float* add, float* result) {
    const auto& d = kernel.description;
    const auto memory = [](const dnnl::memory::desc& desc, const void* data) {
      return dnnl::memory(desc, cpu_engine(), const_cast<void*>(data));
    };
    std::unordered_map<int, dnnl::memory> arguments = {
        {DNNL_ARG_SRC, memory(d.src_desc(), x)},
        {DNNL_ARG_WEIGHTS, memory(d.weights_desc(), weights)},
        {DNNL_ARG_BIAS, memory(d.bias_desc(), bias)},
        {DNNL_ARG_DST, memory(d.dst_desc(), result)},
        {DNNL_ARG_SCRATCHPAD, memory(d.scratchpad_desc(), scratch_.library)}};
    if (residual_ == Residual::kOtherMemory)
      arguments.emplace(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1,
                        memory(d.dst_desc(), add));
    const ThreadCount threads(kernel.threads);
    kernel.primitive.execute(stream_, arguments);
    stream_.wait();
  }

  void finish(const float* add, float* out) const {
    finish_values(call_, plan_.out_h * plan_.out_w * w_.config().out, add, out);
  }

  // One image: rows of a chunk's result, and where they go. `gate` and `add` may be null.
  struct Unfinished {
    const float *x, *gate, *add;
    float* out;
  };
  void finish_rows(const Chunk& chunk, const Unfinished& u) const {
    const std::int64_t rows = std::max<std::int64_t>(1, kBlock / chunk.count),
                       width = w_.config().out;
    const Activation activation = call_.epilogue.activation;
    parallel_blocks(
        call_.threads, plan_.out_h * plan_.out_w, rows, [&](std::int64_t row, std::int64_t end) {
          for (; row < end; ++row) {
            const std::int64_t at = row * width + chunk.begin;
            const float *x = u.x + row * chunk.count, *add = u.add ? u.add + at : nullptr;
            if (u.gate)
              kernels::finish_gated(x, u.gate + chunk.begin, add, chunk.count, activation,
                                    u.out + at);
            else
              kernels::finish(x, add, chunk.count, activation, u.out + at);
          }
        });
  }

  const ProductCall& call_;
  const PackedProduct& w_;
  ProductPlan& plan_;
  Residual residual_;
  Scratch scratch_;
  dnnl::stream stream_;
};

}  // namespace

footprint::Product product_scratch(const ProductCall& call) {
  footprint::Product sizes;
  if (const auto plan = winograd_of(call)) {
    sizes.winograd = winograd_scratch(call, *plan);
    return sizes;
  }
  sizes = plan_of(call).scratch;
  if (call.epilogue.channel_add.defined())
    sizes.bias = footprint::floats(call.weights.config().out);
  return sizes;
}

void run_product(const ProductCall& call, std::byte* scratch) {
  const auto plan = winograd_of(call);
  if (!plan) return ProductRun(call, scratch).run();
  run_winograd(call, *plan, scratch);
  if (call.epilogue.activation == Activation::kNone) return;
  const Tensor& add = call.epilogue.add;
  finish_values(call, call.out.numel(), add.defined() ? add.data<float>() : nullptr,
                call.out.data<float>());
}

}  // namespace mezzo
