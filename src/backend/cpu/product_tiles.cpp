#include "backend/cpu/product_tiles.h"

#include <cstring>

#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/parallel.h"

namespace mezzo {
namespace {

std::size_t float_bytes(std::int64_t n) { return static_cast<std::size_t>(n) * sizeof(float); }

// One tile: its first row and column in the result, and its memory.
struct Tile {
  std::int64_t row, column;
  float *input, *result;
};

// Copies what the tile needs of the picture, with zeros around the picture.
void gather(const ProductCall& call, const ProductPlan& p, const float* x, const Tile& t) {
  const Conv2dConfig& c = call.weights.config();
  const std::int64_t width = p.tile_w + c.kernel - 1, left = t.column - c.pad_left;
  const std::int64_t begin = std::clamp<std::int64_t>(-left, 0, width),
                     end = std::clamp(p.w - left, begin, width);
  for (std::int64_t i = 0; i < p.tile_h + c.kernel - 1; ++i) {
    float* to = t.input + i * width * c.in;
    const std::int64_t row = t.row + i - c.pad_top;
    if (row < 0 || row >= p.h) {
      std::memset(to, 0, float_bytes(width * c.in));
      continue;
    }
    std::memset(to, 0, float_bytes(begin * c.in));
    std::memcpy(to + begin * c.in, x + (row * p.w + left + begin) * c.in,
                float_bytes((end - begin) * c.in));
    std::memset(to + end * c.in, 0, float_bytes((width - end) * c.in));
  }
}

// Copies the part of the result that is in the picture, with activation and residual.
void scatter(const ProductCall& call, const ProductPlan& p, const TiledImage& image,
             const Tile& t) {
  const std::int64_t channels = call.weights.config().out;
  const std::int64_t rows = std::min(p.tile_h, p.out_h - t.row),
                     columns = std::min(p.tile_w, p.out_w - t.column);
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t at = ((t.row + i) * p.out_w + t.column) * channels;
    kernels::finish(t.result + i * p.tile_w * channels, image.add ? image.add + at : nullptr,
                    columns * channels, call.epilogue.activation, image.out + at);
  }
}

}  // namespace

void run_tiles(const ProductCall& call, const ProductPlan& p, const TiledImage& image,
               std::byte* scratch) {
  const ProductPlan::Kernel& kernel = p.kernels.front();
  const auto& d = kernel.description;
  const dnnl::memory::desc x = d.src_desc(), weights = d.weights_desc(), bias = d.bias_desc(),
                           result = d.dst_desc(), library = d.scratchpad_desc();
  const std::int64_t across = ceil_div(p.out_w, p.tile_w), down = ceil_div(p.out_h, p.tile_h);
  parallel_for(call.threads, across * down, [&](std::int64_t i, int thread) {
    std::byte* memory = scratch + static_cast<std::size_t>(thread) * p.tile.total();
    const Tile tile = {i / across * p.tile_h, i % across * p.tile_w,
                       reinterpret_cast<float*>(memory),
                       reinterpret_cast<float*>(memory + p.tile.input)};
    gather(call, p, image.x, tile);
    const auto use = [](const dnnl::memory::desc& desc, const void* data) {
      return dnnl::memory(desc, cpu_engine(), const_cast<void*>(data));
    };
    dnnl::stream stream(cpu_engine());
    kernel.primitive.execute(
        stream, {{DNNL_ARG_SRC, use(x, tile.input)},
                 {DNNL_ARG_WEIGHTS, use(weights, image.weights)},
                 {DNNL_ARG_BIAS, use(bias, image.bias)},
                 {DNNL_ARG_DST, use(result, tile.result)},
                 {DNNL_ARG_SCRATCHPAD, use(library, memory + p.tile.input + p.tile.result)}});
    stream.wait();
    scatter(call, p, image, tile);
  });
}

}  // namespace mezzo
