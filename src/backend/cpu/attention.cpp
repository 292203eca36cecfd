#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/kernels/kernels.h"

namespace mezzo {
namespace {

using footprint::Attention;

// Head number `pair` of all heads of all images.
kernels::Head head_of(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionConfig& c,
                      Tensor& out, std::int64_t pair) {
  const std::int64_t image = pair / c.heads, head = pair % c.heads, d = q.dim(2) / c.heads;
  const auto at = [&](const Tensor& t) { return t.data<float>() + image * t.stride(0) + head * d; };
  const float* bias = nullptr;
  if (c.bias.defined())
    bias = c.bias.data<float>() + (c.bias.dim(0) > 1 ? head : 0) * q.dim(1) * k.dim(1);
  return {.q = at(q),
          .k = at(k),
          .v = at(v),
          .q_stride = q.stride(1),
          .k_stride = k.stride(1),
          .v_stride = v.stride(1),
          .lq = q.dim(1),
          .lk = k.dim(1),
          .d = d,
          .scale = c.scale,
          .causal = c.causal,
          .bias = bias,
          .out = at(out),
          .out_stride = out.stride(1)};
}

}  // namespace

void CpuBackend::attention(const Tensor& q, const Tensor& k, const Tensor& v,
                           const AttentionConfig& config, Tensor& out) {
  const Op op(*this, [&] { return work::attention(q, k, config.heads); });
  check(q.dim(2) % config.heads == 0 && k.dim(2) == q.dim(2) && v.dim(2) == q.dim(2),
        "heads divide the width of q, k, v");
  for (const Tensor* t : {&q, &k, &v, static_cast<const Tensor*>(&out)})
    check(t->stride(2) == 1, "attention() takes rows of consecutive values");
  const Tensor& bias = config.bias;
  check(!bias.defined() || (bias.contiguous() && bias.rank() == 3 &&
                            (bias.dim(0) == 1 || bias.dim(0) == config.heads) &&
                            bias.dim(1) == q.dim(1) && bias.dim(2) == k.dim(1)),
        "attention() takes a bias of [heads or 1, Lq, Lk]");
  if (out.numel() == 0) return;
  const std::int64_t pairs = q.dim(0) * config.heads, lq = q.dim(1), lk = k.dim(1),
                     d = q.dim(2) / config.heads;
  const Attention sizes = footprint::attention(pairs, lk, d);
  const Tensor memory = scratch(sizes.total(threads_));
  if (!has_data_) return;

  std::byte* const packed = memory.data<std::byte>();
  std::byte* const working =
      packed + static_cast<std::size_t>(sizes.heads_at_once) * (sizes.keys + sizes.values);
  const auto keys = [&](std::int64_t i) {
    return reinterpret_cast<float*>(packed +
                                    static_cast<std::size_t>(i) * (sizes.keys + sizes.values));
  };
  const auto values = [&](std::int64_t i) { return keys(i) + sizes.keys / sizeof(float); };
  const std::int64_t key_blocks = ceil_div(lk, Attention::kKeys),
                     row_blocks = ceil_div(lq, Attention::kRows);
  for (std::int64_t first = 0; first < pairs; first += sizes.heads_at_once) {
    const std::int64_t n = std::min(sizes.heads_at_once, pairs - first);
    parallel_for(threads_, n * key_blocks, [&](std::int64_t i, int) {
      const std::int64_t head = i / key_blocks, begin = i % key_blocks * Attention::kKeys;
      kernels::attention_pack(head_of(q, k, v, config, out, first + head), begin,
                              std::min(begin + Attention::kKeys, lk), keys(head), values(head));
    });
    parallel_for(threads_, n * row_blocks, [&](std::int64_t i, int thread) {
      const std::int64_t head = i / row_blocks, begin = i % row_blocks * Attention::kRows;
      kernels::attention_rows(
          head_of(q, k, v, config, out, first + head), begin,
          std::min(begin + Attention::kRows, lq), keys(head), values(head),
          reinterpret_cast<float*>(working + static_cast<std::size_t>(thread) * sizes.thread));
    });
  }
}

}  // namespace mezzo
