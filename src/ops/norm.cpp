#include "ops/ops.h"

namespace mezzo::ops {

Tensor group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const GroupNormConfig& c) {
  check(x.rank() >= 3 && x.dim(-1) % c.groups == 0 && weight.numel() == x.dim(-1),
        "groups divide the channels");
  Tensor out(x.device(), DType::kF32, x.shape());
  backend_of(x).group_norm(x, weight, bias, c, out);
  return out;
}

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps) {
  Tensor out(x.device(), DType::kF32, x.shape());
  backend_of(x).layer_norm(x, weight, bias, eps, out);
  return out;
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, float eps) {
  Tensor out(x.device(), DType::kF32, x.shape());
  backend_of(x).rms_norm(x, weight, eps, out);
  return out;
}

}  // namespace mezzo::ops
