// oneDNN 2.6 and 3.x describe the same primitives in two ways; this is the only place that knows.
#pragma once

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

}  // namespace mezzo::onednn
