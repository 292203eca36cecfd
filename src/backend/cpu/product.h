// Convolutions and linear layers as oneDNN convolutions on NHWC memory. A linear layer is a 1x1
// convolution of a picture one row high: oneDNN's 1x1 kernels reach the peak there, need no packing
// of activations and add in a fixed order.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/dnnl_compat.h"
#include "backend/cpu/footprint.h"
#include "backend/cpu/memory.h"

namespace mezzo {

/// How a residual reaches the result.
enum class Residual { kNone, kOtherMemory, kSameMemory };

/// Primitives of one layer for one size of picture.
struct ProductPlan {
  struct Kernel {
    dnnl::convolution_forward::primitive_desc description;
    dnnl::convolution_forward primitive;  // made on first use
    bool repack = false;                  // reads another layout than the packed one
    int threads = 1;
  };
  std::int64_t h = 0, w = 0, out_h = 0, out_w = 0;
  std::int64_t tile_h = 0,
               tile_w = 0;  // of the result, when the picture is cut (product_tiles.h); else 0
  footprint::Tile tile;
  std::vector<Kernel> kernels;  // one for each chunk width
  footprint::Product scratch;
};

class Rows;
struct PackingSpace;

/// A layer's weight in blocks as oneDNN's kernel reads them, in one of three forms: float32; 16
/// bits, widened chunk by chunk when used; bfloat16 for CPUs that multiply it. Quantised weights
/// are kept as they are instead and brought into that form chunk by chunk (kept_weights.h).
class PackedProduct final : public Packed {
 public:
  enum class Form { kF32, kWidened, kBF16 };
  struct Chunk {  // consecutive output channels, packed and multiplied on their own
    std::int64_t begin, count;
    std::size_t offset;  // values before it
    std::size_t kernel;  // index in layouts, and in ProductPlan::kernels
  };

  PackedProduct(const Conv2dConfig& config, Precision precision, DType source,
                const ByteCount& count, bool backed);

  /// Fills the memory from [out, in, k, k] on the host, and the bias when there is one.
  void fill(const Tensor& weight, const Tensor& bias, int threads);
  /// Working memory of fill().
  std::size_t packing_bytes(const Tensor& weight, int threads) const;
  /// Primitives for pictures of h x w; kept for the next call.
  ProductPlan& plan(std::int64_t h, std::int64_t w, Residual residual, int threads) const;

  std::size_t bytes() const override { return weights_.bytes() + bias_.bytes(); }
  const Conv2dConfig& config() const { return config_; }
  Form form() const { return form_; }
  const std::vector<Chunk>& chunks() const { return chunks_; }
  std::int64_t widest_chunk() const { return chunks_.front().count; }
  /// The layout of a chunk as its kernel reads it, and how many values that has.
  const dnnl::memory::desc& layout(const Chunk& c) const { return layouts_[c.kernel]; }
  std::size_t values(const Chunk& c) const;
  /// The square blocks of float32 that the layout of a chunk has, if it is so.
  std::optional<onednn::WeightBlocks> blocks(const Chunk& c) const;
  DType storage() const { return storage_; }
  /// Whether the memory has rows of `storage` rather than packed chunks.
  bool kept() const { return kept_; }
  std::byte* weights() const { return weights_.data(); }
  const float* bias() const { return reinterpret_cast<const float*>(bias_.data()); }

 private:
  void lay_out();
  std::int64_t piece_width(std::int64_t row) const;
  std::size_t stored_bytes() const;
  void add_expansion(const Chunk&, int threads, footprint::Product&) const;
  void fill_kept(const Tensor& weight, int threads);
  void fill_chunk(const Chunk&, const Rows&, const PackingSpace&, int threads);
  struct Geometry {  // what a kernel works on
    Conv2dConfig config;
    std::int64_t h, w;
  };
  ProductPlan::Kernel describe(const Chunk&, const Geometry&, Residual, int threads) const;
  void cut(ProductPlan&, Geometry&) const;

  Conv2dConfig config_;
  Form form_;
  bool kept_;
  DType storage_;
  std::vector<Chunk> chunks_;
  std::vector<dnnl::memory::desc> layouts_;
  WeightMemory weights_, bias_;
  mutable std::map<std::tuple<std::int64_t, std::int64_t, Residual>, ProductPlan> plans_;
};

const dnnl::engine& cpu_engine();

}  // namespace mezzo
