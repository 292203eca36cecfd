#include "backend/cpu/product.h"

#include <string_view>
#include <utility>

#include "backend/cpu/isa.h"
#include "backend/cpu/kept_weights.h"
#include "backend/cpu/parallel.h"

namespace mezzo {
namespace {

constexpr std::size_t kMostPlans = 8;  // of a layer
using dnnl::memory;
using Description = dnnl::convolution_forward::primitive_desc;

constexpr std::int64_t kTypicalSide = 64;      // decides the layout; every size can then use it
constexpr std::int64_t kChunkBytes = 4 << 20;  // widened weights that stay in a cache
constexpr std::int64_t kChunkAlignment = 64;   // channels: a multiple of every kernel's block
constexpr std::int64_t kTileHeight = 8,
                       kTileWidth = 64;  // a tile of 128 channels and its weights fit a 1 MiB cache

struct Picture {
  std::int64_t out, h, w;
};

std::int64_t out_side(std::int64_t side, const Conv2dConfig& c, int before, int after) {
  return (side + before + after - c.kernel) / c.stride + 1;
}

Description try_describe(const Conv2dConfig& c, memory::data_type type, const Picture& p,
                         Residual residual, const memory::desc& weight) {
  const memory::dims out = {1, p.out, out_side(p.h, c, c.pad_top, c.pad_bottom),
                            out_side(p.w, c, c.pad_left, c.pad_right)};
  const memory::desc result(out, memory::data_type::f32, memory::format_tag::nhwc);
  dnnl::post_ops after;
  if (residual == Residual::kOtherMemory) after.append_binary(dnnl::algorithm::binary_add, result);
  if (residual == Residual::kSameMemory) after.append_sum(1.0f);
  dnnl::primitive_attr attr;
  attr.set_post_ops(after);
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const onednn::Convolution conv = {
      .x = memory::desc({1, c.in, p.h, p.w}, type, memory::format_tag::nhwc),
      .weight = weight,
      .bias = memory::desc({p.out}, memory::data_type::f32, memory::format_tag::x),
      .out = result,
      .strides = {c.stride, c.stride},
      .pad_begin = {c.pad_top, c.pad_left},
      .pad_end = {c.pad_bottom, c.pad_right}};
  return onednn::describe(cpu_engine(), conv, attr);
}

bool is_slow(const Description& d) {
  const std::string_view name = d.impl_info_str();
  return name.find("ref") != name.npos || name.find("gemm:") != name.npos;
}

// oneDNN's kernels before AVX-512 sum whole rows of the picture at once, at half speed when a row
// does not fit the cache.
bool wants_tiles(const Conv2dConfig& c, std::int64_t out_w) {
  const bool narrow_vectors = isa_name() == "avx2" || isa_name() == "sse4";
  return narrow_vectors && c.kernel > 1 && c.stride == 1 && out_w >= 2 * kTileWidth;
}

PackedProduct::Form form_of(Precision precision, bool kept) {
  if (precision == Precision::kF32)
    return kept ? PackedProduct::Form::kWidened : PackedProduct::Form::kF32;
  return cpu_has_fast_bf16() ? PackedProduct::Form::kBF16 : PackedProduct::Form::kWidened;
}

std::int64_t row_values(const Conv2dConfig& c) { return c.in * c.kernel * c.kernel; }

}  // namespace

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

PackedProduct::PackedProduct(const Conv2dConfig& config, Precision precision, DType source,
                             const ByteCount& count, bool backed)
    : config_(config), kept_(is_kept(source) && row_values(config) % info(source).block == 0) {
  form_ = form_of(precision, kept_);
  if (form_ == Form::kBF16) {
    try {
      lay_out();
    } catch (const dnnl::error&) {  // no bfloat16 kernel for this geometry
      form_ = Form::kWidened;
    }
  }
  if (form_ != Form::kBF16) lay_out();
  // Scales of quantised types are float16, and so is most of what they scale; bfloat16 would lose
  // bits.
  const bool f16 = source == DType::kF16 || is_quantized(source);
  storage_ = kept_                            ? source
             : form_ == Form::kF32            ? DType::kF32
             : form_ == Form::kWidened && f16 ? DType::kF16
                                              : DType::kBF16;
  weights_ = WeightMemory(stored_bytes(), count, backed);
  bias_ = WeightMemory(footprint::floats(config.out), count, backed);
}

std::size_t PackedProduct::stored_bytes() const {
  if (kept_)
    return static_cast<std::size_t>(*byte_size(storage_, config_.out * row_values(config_)));
  const Chunk& last = chunks_.back();
  return (last.offset + values(last)) * static_cast<std::size_t>(info(storage_).bytes);
}

void PackedProduct::lay_out() {
  const std::int64_t row_bytes = row_values(config_) * static_cast<std::int64_t>(sizeof(float));
  std::int64_t width = config_.out;
  if ((form_ == Form::kWidened || kept_) && width * row_bytes > 2 * kChunkBytes)
    width = std::min(width, std::max<std::int64_t>(kChunkBytes / row_bytes / kChunkAlignment, 1) *
                                kChunkAlignment);
  const auto type = form_ == Form::kBF16 ? memory::data_type::bf16 : memory::data_type::f32;
  const std::int64_t side = std::max<std::int64_t>(kTypicalSide, config_.kernel);
  chunks_.clear();
  layouts_.clear();
  std::size_t offset = 0;
  for (std::int64_t begin = 0; begin < config_.out; begin += width) {
    const std::int64_t n = std::min(width, config_.out - begin);
    if (layouts_.empty() || n != width) {
      const memory::desc any({n, config_.in, config_.kernel, config_.kernel}, type,
                             memory::format_tag::any);
      const Description d = try_describe(config_, type, {n, side, side}, Residual::kNone, any);
      if (form_ == Form::kBF16 && is_slow(d))
        throw dnnl::error(dnnl_unimplemented, "only slow kernels");
      layouts_.push_back(d.weights_desc());
    }
    chunks_.push_back({begin, n, offset, layouts_.size() - 1});
    offset += values(chunks_.back());
  }
}

std::size_t PackedProduct::values(const Chunk& c) const {
  return layout(c).get_size() / (form_ == Form::kBF16 ? 2 : sizeof(float));
}

std::optional<onednn::WeightBlocks> PackedProduct::blocks(const Chunk& c) const {
  if (form_ == Form::kBF16) return {};
  return onednn::weight_blocks(layout(c), config_.kernel);
}

/// What a chunk of quantised weights needs until it is as the kernel reads it.
void PackedProduct::add_expansion(const Chunk& c, int threads, footprint::Product& s) const {
  s.weights = std::max(s.weights, round_up(layout(c).get_size(), footprint::kLine));
  const auto square = blocks(c);
  const std::size_t plain = square ? static_cast<std::size_t>(threads) *
                                         footprint::floats(kept_slice(*this, square->block).values)
                                   : footprint::floats(c.count * row_values(config_));
  s.plain = std::max(s.plain, plain);
}

ProductPlan::Kernel PackedProduct::describe(const Chunk& c, const Geometry& g, Residual residual,
                                            int threads) const {
  const auto type = form_ == Form::kBF16 ? memory::data_type::bf16 : memory::data_type::f32;
  const Picture picture = {c.count, g.h, g.w};
  ProductPlan::Kernel k;
  k.threads = threads;
  k.description = try_describe(g.config, type, picture, residual, layout(c));
  if (!is_slow(k.description)) return k;
  const memory::desc any({c.count, config_.in, config_.kernel, config_.kernel}, type,
                         memory::format_tag::any);
  k.description = try_describe(g.config, type, picture, residual, any);
  if (is_slow(k.description)) {
    // General matrix products divide the summation among threads; alone they add in one order.
    const ThreadCount one(1);
    k.threads = 1;
    k.description = try_describe(g.config, type, picture, residual, any);
  }
  k.repack = k.description.weights_desc() != layout(c);
  return k;
}

void PackedProduct::cut(ProductPlan& p, Geometry& g) const {
  if (!wants_tiles(config_, p.out_w) || form_ == Form::kBF16 || chunks_.size() > 1) return;
  // Tiles of about equal size; those at the far edges reach beyond the picture.
  p.tile_h = std::min(kTileHeight, p.out_h);
  p.tile_w = ceil_div(p.out_w, ceil_div(p.out_w, kTileWidth));
  g.config.pad_top = g.config.pad_left = g.config.pad_bottom = g.config.pad_right = 0;
  g.h = p.tile_h + config_.kernel - 1;
  g.w = p.tile_w + config_.kernel - 1;
  p.tile.input = footprint::floats(g.h * g.w * config_.in);
  p.tile.result = footprint::floats(p.tile_h * p.tile_w * config_.out);
}

ProductPlan& PackedProduct::plan(std::int64_t h, std::int64_t w, Residual residual,
                                 int threads) const {
  // A layer sees a size or two at a time; those of pictures drawn long ago are not kept.
  if (plans_.size() >= kMostPlans && !plans_.contains({h, w, residual})) plans_.clear();
  const auto [it, is_new] = plans_.try_emplace({h, w, residual});
  ProductPlan& p = it->second;
  if (!is_new && !p.kernels.empty()) return p;
  p.h = h, p.w = w;
  p.out_h = out_side(h, config_, config_.pad_top, config_.pad_bottom);
  p.out_w = out_side(w, config_, config_.pad_left, config_.pad_right);
  Geometry geometry = {config_, h, w};
  cut(p, geometry);
  if (p.tile_h) residual = Residual::kNone;
  std::vector<ProductPlan::Kernel> kernels(layouts_.size());
  footprint::Product s;
  for (const Chunk& c : chunks_) {
    ProductPlan::Kernel& k = kernels[c.kernel];
    if (k.description) continue;
    k = describe(c, geometry, residual, threads);
    const std::size_t repacked = k.repack ? k.description.weights_desc().get_size() : 0;
    const std::size_t widened = form_ == Form::kWidened && !kept_ ? values(c) * sizeof(float) : 0;
    s.weights = std::max(s.weights, round_up(widened, footprint::kLine));
    if (kept_) add_expansion(c, threads, s);
    s.repacked = std::max(s.repacked, round_up(repacked, footprint::kLine));
    s.library =
        std::max(s.library, round_up(k.description.scratchpad_desc().get_size(), footprint::kLine));
  }
  if (chunks_.size() > 1) s.result = footprint::floats(p.out_h * p.out_w * widest_chunk());
  if (form_ == Form::kBF16)
    s.input = round_up(static_cast<std::size_t>(h * w * config_.in) * 2, footprint::kLine);
  if (p.tile_h) {
    p.tile.library = std::exchange(s.library, 0);
    s.tiles = static_cast<std::size_t>(threads) * p.tile.total();
  }
  p.scratch = s;
  p.kernels = std::move(kernels);
  return p;
}

}  // namespace mezzo
