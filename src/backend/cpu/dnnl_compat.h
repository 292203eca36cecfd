// oneDNN 2.6 and 3.x describe the same primitives in two ways; this is the only place that knows.
#pragma once

#include <cstdint>
#include <optional>

#include <dnnl.hpp>

namespace mezzo::onednn {

struct Convolution {
  dnnl::memory::desc x, weight, bias, out;
  dnnl::memory::dims strides, pad_begin, pad_end;
};

inline dnnl::convolution_forward::primitive_desc describe(const dnnl::engine& engine,
                                                          const Convolution& c,
                                                          const dnnl::primitive_attr& attr) {
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  constexpr auto kAlgorithm = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {engine, kKind,     kAlgorithm,  c.x,       c.weight, c.bias,
          c.out,  c.strides, c.pad_begin, c.pad_end, attr};
#else
  const dnnl::convolution_forward::desc d(kKind, kAlgorithm, c.x, c.weight, c.bias, c.out,
                                          c.strides, c.pad_begin, c.pad_end);
  return {d, attr, engine};
#endif
}

/// A blocked layout as far as it tells where an index of the first dimension begins.
struct OuterBlocks {
  std::int64_t block = 1, stride = 0;  // indices in a block, values from one block to the next
};

inline OuterBlocks outer_blocks(const dnnl::memory::desc& d) {
  OuterBlocks b;
#if DNNL_VERSION_MAJOR >= 3
  const auto blocks = d.get_inner_blks(), dimensions = d.get_inner_idxs();
  for (std::size_t i = 0; i < blocks.size(); ++i)
    if (dimensions[i] == 0) b.block *= blocks[i];
  b.stride = d.get_strides().front();
#else
  const dnnl_blocking_desc_t& blocking = d.data.format_desc.blocking;
  for (int i = 0; i < blocking.inner_nblks; ++i)
    if (blocking.inner_idxs[i] == 0) b.block *= blocking.inner_blks[i];
  b.stride = blocking.strides[0];
#endif
  return b;
}

/// A weight [out, in, k, k] in square blocks, [out / block][in / block][k * k][block in][block
/// out].
struct WeightBlocks {
  std::int64_t block, out_stride, in_stride;  // values from one block to the next
};

/// Nothing when the layout is another one.
inline std::optional<WeightBlocks> weight_blocks(const dnnl::memory::desc& d, std::int64_t kernel) {
#if DNNL_VERSION_MAJOR >= 3
  if (d.get_inner_nblks() != 2) return {};
  const auto blocks = d.get_inner_blks(), dimensions = d.get_inner_idxs(),
             strides = d.get_strides();
#else
  const dnnl_blocking_desc_t& blocking = d.data.format_desc.blocking;
  if (d.data.format_kind != dnnl_blocked || blocking.inner_nblks != 2) return {};
  const auto &blocks = blocking.inner_blks, &dimensions = blocking.inner_idxs,
             &strides = blocking.strides;
#endif
  const std::int64_t b = blocks[0];
  if (blocks[1] != b || dimensions[0] != 1 || dimensions[1] != 0) return {};
  if (kernel > 1 && (strides[3] != b * b || strides[2] != kernel * b * b)) return {};
  if (strides[1] != kernel * kernel * b * b) return {};
  return WeightBlocks{b, strides[0], strides[1]};
}

}  // namespace mezzo::onednn
