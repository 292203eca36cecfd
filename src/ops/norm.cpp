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

ConvInput normalized(const Tensor& x, const Tensor& weight, const Tensor& bias,
                     const GroupNormConfig& c) {
  check(x.rank() == 4 && x.dim(-1) % c.groups == 0 && weight.numel() == x.dim(-1),
        "groups divide the channels");
  ConvInput input(x);
  input.factors = Tensor(x.device(), DType::kF32, {x.dim(0), 2, x.dim(-1)});
  input.activation = c.activation;
  backend_of(x).group_norm_factors(x, weight, bias, c, input.factors);
  return input;
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
