#include "backend/cpu/cpu_backend.h"

namespace mezzo {

PackedPtr CpuBackend::pack_linear(const Tensor& weight, const Tensor& bias, Precision precision) {
  const Conv2dConfig one_pixel = {.in = weight.dim(1),
                                  .out = weight.dim(0),
                                  .kernel = 1,
                                  .stride = 1,
                                  .pad_top = 0,
                                  .pad_left = 0,
                                  .pad_bottom = 0,
                                  .pad_right = 0};
  return pack(weight, bias, one_pixel, precision);
}

void CpuBackend::linear(const Tensor& x, const Packed& w, const Epilogue& epilogue, Tensor& out) {
  const auto& weight = static_cast<const PackedWeight&>(w);
  const Conv2dConfig& c = weight.config();
  if (epilogue.geglu && c.out / 2 % weight.panel_width() != 0) {  // halves that share a panel
    Shape both = out.shape();
    both.set(-1, c.out);
    Tensor products(*this, DType::kF32, both);
    linear(x, w, {}, products);
    return geglu(products, out);
  }
  Op op(*this, [&] { return work::linear(x, c.in, c.out); });
  // [B, ..., in]: an image's rows are one picture. [L, in] is one image, unless each row has its
  // own channel_add or gate.
  const bool batched = x.rank() > 2 || epilogue.channel_add.defined() || epilogue.gate.defined();
  const std::int64_t images = batched ? x.dim(0) : 1;
  const std::int64_t rows = images ? x.numel() / c.in / images : 0;
  product(op, x, w, epilogue, out, {images, 1, rows});
}

}  // namespace mezzo
