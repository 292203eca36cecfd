#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/product_run.h"

namespace mezzo {

PackedPtr CpuBackend::pack(const Tensor& weight, const Tensor& bias, const Conv2dConfig& c, Precision precision) {
  check(weight.numel() == c.in * c.out * c.kernel * c.kernel, "a packed weight has the size its layer says");
  check(!bias.defined() || bias.numel() == c.out, "a bias has one value for each output");
  const ThreadCount threads(threads_);
  auto packed = std::make_shared<PackedProduct>(c, precision, weight.dtype(), weight_bytes_, has_data_);
  if (has_data_) packed->fill(weight, bias, threads_);
  return packed;
}

void CpuBackend::product(const Tensor& x, const Packed& w, const Epilogue& epilogue, Tensor& out,
                         std::array<std::int64_t, 3> images) {
  const auto& weights = static_cast<const PackedProduct&>(w);
  const ProductCall call = {weights, epilogue, x, out, images[0], images[1], images[2], threads_};
  if (out.numel() == 0) return;
  const Tensor memory = scratch(product_scratch(call).total());
  if (has_data_) run_product(call, memory.data<std::byte>());
}

PackedPtr CpuBackend::pack_conv2d(const Tensor& weight, const Tensor& bias, const Conv2dConfig& config,
                                  Precision precision) {
  return pack(weight, bias, config, precision);
}

void CpuBackend::conv2d(const Tensor& x, const Packed& w, const Epilogue& epilogue, Tensor& out) {
  const Op op(*this, [&] { return work::conv2d(x, static_cast<const PackedProduct&>(w).config(), out); });
  check(x.contiguous() && out.contiguous(), "conv2d() takes contiguous tensors");
  product(x, w, epilogue, out, {x.dim(0), x.dim(1), x.dim(2)});
}

}  // namespace mezzo
