// Packing a layer's weight: decoded, put into the blocks of oneDNN's kernel and encoded again piece
// by piece, so that the values between stay in the caches and every core takes part.
#include <cstring>
#include <memory>
#include <vector>

#include "backend/cpu/parallel.h"
#include "backend/cpu/product.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

using dnnl::memory;

constexpr std::int64_t kConvertBlock = 1 << 14;  // values a thread converts at a time
constexpr std::int64_t kPieceValues = 1 << 17;   // values a thread packs at a time: half a megabyte

std::unique_ptr<float[]> floats(std::int64_t n) {
  return std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(n));
}

}  // namespace

/// Plain [out, in, k, k] values as float32.
class Rows {
 public:
  Rows(const Tensor& weight, std::int64_t row, int threads) : weight_(weight), row_(row) {
    check(weight.contiguous(), "weights are packed from contiguous tensors");
    const DTypeInfo& type = info(weight.dtype());
    if (row % type.block == 0) return;
    // Blocks that do not end with a row are decoded with all the others.
    all_ = floats(weight.numel());
    parallel_blocks(threads, weight.numel(), round_up<std::int64_t>(kConvertBlock, type.block),
                    [&](std::int64_t i, std::int64_t end) { decode(i, end, all_.get() + i); });
  }

  /// Rows begin, ..., begin + count - 1; in `space` unless they are in memory as they are.
  const float* get(std::int64_t begin, std::int64_t count, float* space) const {
    if (all_) return all_.get() + begin * row_;
    if (weight_.dtype() == DType::kF32) return weight_.data<float>() + begin * row_;
    decode(begin * row_, (begin + count) * row_, space);
    return space;
  }

 private:
  void decode(std::int64_t begin, std::int64_t end, float* out) const {
    const DTypeInfo& type = info(weight_.dtype());
    to_float(type.dtype, weight_.data<std::byte>() + begin / type.block * type.bytes, end - begin,
             out);
  }

  const Tensor& weight_;
  std::int64_t row_;
  std::unique_ptr<float[]> all_;
};

/// Working memory of all chunks of a layer.
struct PackingSpace {
  std::int64_t width;                           // output channels in a piece, at most
  std::unique_ptr<float[]> blocked;             // a chunk, where it is encoded afterwards
  std::vector<std::unique_ptr<float[]>> plain;  // a piece for each thread
};

void PackedProduct::fill_chunk(const Chunk& c, const Rows& rows, const PackingSpace& space,
                               int threads) {
  const std::int64_t in = config_.in, k = config_.kernel;
  const auto bytes = static_cast<std::size_t>(info(storage_).bytes);
  const std::size_t size = values(c);
  std::byte* target = weights() + c.offset * bytes;
  std::byte* packed =
      form_ == Form::kWidened ? reinterpret_cast<std::byte*>(space.blocked.get()) : target;
  const std::size_t packed_bytes = form_ == Form::kBF16 ? 2 : sizeof(float);
  if (size != static_cast<std::size_t>(c.count * in * k * k))  // channels that fill the last block
    std::memset(packed, 0, size * packed_bytes);
  const onednn::OuterBlocks blocks = onednn::outer_blocks(layout(c));
  const std::int64_t width = space.width / blocks.block * blocks.block;
  parallel_for(threads, ceil_div(c.count, width), [&](std::int64_t i, int thread) {
    const std::int64_t begin = i * width, n = std::min(width, c.count - begin);
    const float* plain =
        rows.get(c.begin + begin, n, space.plain[static_cast<std::size_t>(thread)].get());
    const memory::dims dims = {n, in, k, k};
    const memory from(memory::desc(dims, memory::data_type::f32, memory::format_tag::oihw),
                      cpu_engine(), const_cast<float*>(plain));
    // Every piece but the last has the same description, so that one primitive does for them all.
    // The last one may end within a block, which only a part at the border of the whole may.
    const bool last = begin + n == c.count;
    const auto at = static_cast<std::size_t>(begin / blocks.block * blocks.stride);
    const memory to(layout(c).submemory_desc(dims, {last ? begin : 0, 0, 0, 0}), cpu_engine(),
                    last ? packed : packed + at * packed_bytes);
    dnnl::stream stream(cpu_engine());
    dnnl::reorder(from, to).execute(stream, const_cast<memory&>(from), const_cast<memory&>(to));
    stream.wait();
  });
  if (form_ == Form::kWidened)
    parallel_blocks(threads, static_cast<std::int64_t>(size), kConvertBlock,
                    [&](std::int64_t i, std::int64_t end) {
                      from_float(storage_, space.blocked.get() + i, end - i,
                                 target + static_cast<std::size_t>(i) * bytes);
                    });
}

/// Output channels of `row` values that are packed at a time.
std::int64_t PackedProduct::piece_width(std::int64_t row) const {
  std::int64_t block = 1;  // of channels
  for (const auto& layout : layouts_) block = std::max(block, onednn::outer_blocks(layout).block);
  return std::max<std::int64_t>(kPieceValues / row / block, 1) * block;
}

std::size_t PackedProduct::packing_bytes(const Tensor& weight, int threads) const {
  if (kept_) return 0;
  const std::int64_t row = config_.in * config_.kernel * config_.kernel;
  const bool decodes_all = row % info(weight.dtype()).block != 0;
  const std::int64_t blocked =
      form_ == Form::kWidened ? static_cast<std::int64_t>(values(chunks_.front())) : 0;
  return footprint::floats((decodes_all ? weight.numel() : 0) + blocked +
                           threads * std::min(piece_width(row), config_.out) * row);
}

void PackedProduct::fill_kept(const Tensor& weight, int threads) {
  check(weight.contiguous() && weight.dtype() == storage_ && weight.bytes() == weights_.bytes(),
        "a kept weight has the type and size that its memory was made for");
  constexpr std::int64_t kCopyBlock = 1 << 20;  // bytes
  parallel_blocks(threads, static_cast<std::int64_t>(weights_.bytes()), kCopyBlock,
                  [&](std::int64_t i, std::int64_t end) {
                    std::memcpy(weights() + i, weight.data<std::byte>() + i,
                                static_cast<std::size_t>(end - i));
                  });
}

void PackedProduct::fill(const Tensor& weight, const Tensor& bias, int threads) {
  const ThreadCount thread_count(threads);
  auto* b = reinterpret_cast<float*>(bias_.data());
  if (bias.defined())
    to_float(bias.dtype(), bias.data<std::byte>(), config_.out, b);
  else
    std::memset(b, 0, bias_.bytes());
  if (kept_) return fill_kept(weight, threads);
  const std::int64_t row = config_.in * config_.kernel * config_.kernel;
  const Rows rows(weight, row, threads);
  PackingSpace space{.width = piece_width(row), .blocked = {}, .plain = {}};
  if (form_ == Form::kWidened)
    space.blocked = floats(static_cast<std::int64_t>(values(chunks_.front())));
  for (int i = 0; i < threads; ++i)
    space.plain.push_back(floats(std::min(space.width, config_.out) * row));
  for (const Chunk& c : chunks_) fill_chunk(c, rows, space, threads);
}

}  // namespace mezzo
