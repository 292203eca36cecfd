#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/product.h"

namespace mezzo {
namespace {

void check_product(const ConvInput& input, const Conv2dConfig& c, const Epilogue& e,
                   const Tensor& out, std::int64_t images) {
  const Tensor& x = input.x;
  check(x.contiguous() && out.contiguous(), "products take contiguous tensors");
  check(!input.factors.defined() ||
            (input.factors.contiguous() && input.factors.numel() == 2 * images * c.in),
        "a convolution normalises by a factor and an offset for each image and channel");
  check(x.dim(-1) == c.in && out.dim(-1) == (e.geglu ? c.out / 2 : c.out),
        "a product has the channels of its weight");
  check(!e.geglu ||
            (c.kernel == 1 && c.out % 2 == 0 && !e.add.defined() && !e.channel_add.defined() &&
             !e.gate.defined() && e.activation == Activation::kNone),
        "GEGLU is of linear layers without anything else");
  check(c.kernel > 1 || input.enlarge == 1, "a convolution of one pixel enlarges nothing");
  check(!e.add.defined() || (e.add.contiguous() && e.add.numel() == out.numel()),
        "a residual has the shape of the result");
  check(e.activation == Activation::kNone || !e.add.defined() || e.add.raw() != out.raw(),
        "a residual in the memory of the result comes without activation");
  check(!e.channel_add.defined() ||
            (e.channel_add.contiguous() && e.channel_add.numel() == images * c.out),
        "channel_add has a value for each image and channel");
  check(!e.gate.defined() || (c.kernel == 1 && e.gate.rank() == 2 && e.gate.dim(0) == images &&
                              e.gate.dim(1) == c.out && e.gate.stride(1) == 1),
        "a gate has a value for each image and channel of a linear layer");
}

}  // namespace

PackedPtr CpuBackend::pack(const Tensor& weight, const Tensor& bias, const Conv2dConfig& c,
                           Precision precision) {
  check(c.in > 0 && c.out > 0 && c.kernel > 0 && c.stride > 0, "a layer has channels and a kernel");
  check(weight.numel() == c.in * c.out * c.kernel * c.kernel,
        "a packed weight has the size its layer says");
  check(!bias.defined() || bias.numel() == c.out, "a bias has one value for each output");
  if (stop().stop_requested()) fail<Cancelled>("cancelled while a model was loading");
  const Op op(*this, [&] { return work::packing(weight); });
  auto packed =
      std::make_shared<PackedWeight>(c, precision, weight.dtype(), weight_bytes_, has_data_);
  note_peak(weight.bytes() + packed->packing_bytes(weight, threads_));
  if (has_data_) packed->fill(weight, bias, threads_);
  return packed;
}

void CpuBackend::product(Op& op, const ConvInput& input, const Packed& w, const Epilogue& epilogue,
                         Tensor& out, std::array<std::int64_t, 3> images) {
  const auto& weights = static_cast<const PackedWeight&>(w);
  ProductCall call = {weights,   epilogue,  input,    out,      images[0],
                      images[1], images[2], threads_, winograd_};
  check_product(input, weights.config(), epilogue, out, images[0]);
  if (out.numel() == 0) return;
  const Algorithm& algorithm = choose_algorithm(call);
  const double flops = 2 * algorithm.cost(call) * static_cast<double>(images[0]);
  op.computes(algorithm.name, flops);
  call.threads = threads_for(flops);
  const Tensor memory = scratch(algorithm.scratch(call));
  if (has_data_) algorithm.run(call, memory.data<std::byte>());
}

PackedPtr CpuBackend::pack_conv2d(const Tensor& weight, const Tensor& bias,
                                  const Conv2dConfig& config, Precision precision) {
  return pack(weight, bias, config, precision);
}

void CpuBackend::conv2d(const ConvInput& x, const Packed& w, const Epilogue& epilogue,
                        Tensor& out) {
  Op op(*this, [&] { return work::conv2d(x, static_cast<const PackedWeight&>(w).config(), out); });
  product(op, x, w, epilogue, out, {x.x.dim(0), x.height(), x.width()});
}

}  // namespace mezzo
