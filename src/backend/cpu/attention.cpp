#include "backend/cpu/kernels/attention.h"

#include <algorithm>
#include <vector>

#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/kernels/words.h"

namespace mezzo {
namespace {

using footprint::Attention;

// Head number `pair` of all heads of all images, in one of the sequences.
struct Place {
  std::int64_t pair, first_key, keys;  // keys: of all sequences
};

kernels::Head head_of(const AttentionPart& part, const AttentionConfig& c, const Tensor& out,
                      const Place& place) {
  const auto& [q, k, v] = part;
  const std::int64_t image = place.pair / c.heads, head = place.pair % c.heads,
                     d = k.dim(2) / c.heads;
  const auto at = [&](const Tensor& t) {
    return t.defined() ? t.data<float>() + image * t.stride(0) + head * d : nullptr;
  };
  const float* bias = nullptr;
  if (c.bias.defined())
    bias = c.bias.data<float>() + (c.bias.dim(0) > 1 ? head : 0) * q.dim(1) * k.dim(1);
  return {.q = at(q),
          .k = at(k),
          .v = at(v),
          .q_stride = q.defined() ? q.stride(1) : 0,
          .k_stride = k.stride(1),
          .v_stride = v.stride(1),
          .lk = place.keys,
          .d = d,
          .first_key = place.first_key,
          .scale = c.scale,
          .causal = c.causal,
          .bias = bias,
          .out = at(out),
          .out_stride = out.defined() ? out.stride(1) : 0};
}

struct Form {
  std::int64_t in_word;  // values in a word of the operands
  bool integers;
  std::string_view name;
  double share;  // of the time that float32 takes
};

Form form_of(Precision p, std::int64_t head_size) {
  if (p == Precision::kInt8) return {4, true, "int8", 0.5};
  if (p != Precision::kF32 && cpu_multiplies_bf16()) return {2, false, "bf16", 0.6};
  if (p != Precision::kF32 && cpu_has_vnni() && head_size <= kernels::kInt16Depth)
    return {2, true, "int16", 0.7};
  return {1, false, "f32", 1};
}

// Queries of an image.
std::int64_t rows_of(std::span<const AttentionPart> parts) {
  std::int64_t rows = 0;
  for (const auto& p : parts) rows += p.q ? p.q.dim(1) : 0;
  return rows;
}

void check_part(const AttentionPart& part, const AttentionPart& first, const AttentionConfig& c,
                const Tensor& out) {
  const auto& [q, k, v] = part;
  check(k.rank() == 3 && k.dim(0) == first.k.dim(0) && k.dim(2) == first.k.dim(2) &&
            k.dim(2) % c.heads == 0 && v.shape() == k.shape(),
        "attention() takes keys and values of one batch, whose width the heads divide");
  check(q.defined() == out.defined() &&
            (!q.defined() ||
             (q.dim(0) == k.dim(0) && q.dim(2) == k.dim(2) && q.shape() == out.shape())),
        "attention() takes queries of the width of the keys");
  for (const Tensor* t : {&q, &k, &v, &out})
    check(!t->defined() || t->stride(2) == 1, "attention() takes rows of consecutive values");
}

}  // namespace

void CpuBackend::attention(const Tensor& q, const Tensor& k, const Tensor& v,
                           const AttentionConfig& config, Tensor& out) {
  Op op(*this, [&] { return work::attention(q, k.dim(1), config.heads); });
  const Tensor& bias = config.bias;
  check(!bias.defined() || (bias.contiguous() && bias.rank() == 3 &&
                            (bias.dim(0) == 1 || bias.dim(0) == config.heads) &&
                            bias.dim(1) == q.dim(1) && bias.dim(2) == k.dim(1)),
        "attention() takes a bias of [heads or 1, Lq, Lk]");
  const AttentionPart part = {q, k, v};
  attend(op, {&part, 1}, config, {&out, 1});
}

void CpuBackend::joint_attention(std::span<const AttentionPart> parts,
                                 const AttentionConfig& config, std::span<Tensor> outs) {
  check(!parts.empty() && parts.size() == outs.size() && !config.causal && !config.bias.defined(),
        "joint_attention() takes a result for each sequence, no bias and no mask");
  Op op(*this, [&] {
    std::int64_t keys = 0;
    for (const auto& part : parts) keys += part.k.dim(1);
    return work::joint_attention(parts, keys, config.heads);
  });
  attend(op, parts, config, outs);
}

void CpuBackend::attend(Op& op, std::span<const AttentionPart> parts, const AttentionConfig& config,
                        std::span<Tensor> outs) {
  std::vector<std::int64_t> keys_before(parts.size() + 1), blocks_before(parts.size() + 1);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    check_part(parts[i], parts[0], config, outs[i]);
    keys_before[i + 1] = keys_before[i] + parts[i].k.dim(1);
    blocks_before[i + 1] =
        blocks_before[i] + (parts[i].q ? ceil_div(parts[i].q.dim(1), Attention::kRows) : 0);
  }
  const std::int64_t pairs = parts[0].k.dim(0) * config.heads, lk = keys_before.back(),
                     d = parts[0].k.dim(2) / config.heads;
  if (pairs * d * blocks_before.back() == 0) return;
  const Form form = form_of(config.precision, d);
  op.computes(form.name, form.share * op.flops());
  const int threads = threads_for(4.0 * static_cast<double>(pairs * lk * d * rows_of(parts)));
  const Attention sizes = footprint::attention(pairs, lk, d, form.in_word, form.integers);
  const Tensor memory = scratch(sizes.total(threads));
  if (!has_data_) return;

  std::byte* const packed = memory.data<std::byte>();
  const auto head_memory = [&](std::int64_t i) {
    return kernels::PackedHead(sizes, packed + static_cast<std::size_t>(i) * sizes.packed());
  };
  const auto working = [&](int thread) {
    return packed + static_cast<std::size_t>(sizes.heads_at_once) * sizes.packed() +
           static_cast<std::size_t>(thread) * sizes.thread;
  };
  const std::int64_t key_blocks = ceil_div(lk, Attention::kKeys), row_blocks = blocks_before.back();
  for (std::int64_t first = 0; first < pairs; first += sizes.heads_at_once) {
    const std::int64_t n = std::min(sizes.heads_at_once, pairs - first);
    const auto head_in = [&](std::size_t part, std::int64_t i) {
      return head_of(parts[part], config, outs[part], {first + i, keys_before[part], lk});
    };
    parallel_for(threads, n * key_blocks, [&](std::int64_t i, int thread) {
      const std::int64_t head = i / key_blocks, begin = i % key_blocks * Attention::kKeys,
                         end = std::min(begin + Attention::kKeys, lk);
      for (std::size_t p = 0; p < parts.size(); ++p) {
        const std::int64_t from = std::max(begin, keys_before[p]),
                           to = std::min(end, keys_before[p + 1]);
        if (from < to)
          kernels::attention_pack(sizes, head_in(p, head), from, to, to == end, head_memory(head),
                                  working(thread));
      }
    });
    parallel_for(threads, n * row_blocks, [&](std::int64_t i, int thread) {
      if (stop().stop_requested()) fail<Cancelled>("cancelled");  // of a large picture: minutes
      const std::int64_t head = i / row_blocks, block = i % row_blocks;
      const auto p = static_cast<std::size_t>(std::ranges::upper_bound(blocks_before, block) -
                                              blocks_before.begin() - 1);
      const std::int64_t begin = (block - blocks_before[p]) * Attention::kRows;
      kernels::attention_rows(sizes, head_in(p, head), begin,
                              std::min(begin + Attention::kRows, parts[p].q.dim(1)),
                              head_memory(head), working(thread));
    });
  }
}

}  // namespace mezzo
