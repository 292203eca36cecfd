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

Tensor group_norm_factors(const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const GroupNormConfig& c) {
  check(x.rank() >= 3 && x.dim(-1) % c.groups == 0 && weight.numel() == x.dim(-1),
        "groups divide the channels");
  Tensor out(x.device(), DType::kF32, {x.dim(0), 2, x.dim(-1)});
  backend_of(x).group_norm_factors(x, weight, bias, c, out);
  return out;
}

Tensor group_norm_apply(const Tensor& rows, const Tensor& factors, Activation activation) {
  check(factors.shape() == Shape({rows.dim(0), 2, rows.dim(-1)}),
        "there is a factor and an offset for each image and channel");
  Tensor out(rows.device(), DType::kF32, rows.shape());
  backend_of(rows).group_norm_apply(rows, factors, activation, out);
  return out;
}

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps) {
  Tensor out(x.device(), DType::kF32, x.shape());
  backend_of(x).layer_norm(x, weight, bias, eps, out);
  return out;
}

Tensor modulated_layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, float eps) {
  check(x.rank() >= 2 && scale.shape() == shift.shape() && scale.rank() == 2 &&
            scale.dim(0) == x.dim(0) && scale.dim(1) == x.dim(-1),
        "modulation has a scale and a shift for each image and channel");
  Tensor out(x.device(), DType::kF32, x.shape());
  backend_of(x).modulated_layer_norm(x, scale, shift, eps, out);
  return out;
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, float eps) {
  Tensor out(x.device(), DType::kF32, x.shape());
  backend_of(x).rms_norm(x, weight, eps, out);
  return out;
}

}  // namespace mezzo::ops
