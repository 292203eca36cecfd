// Every operation again, slow and plain, in double; and helpers of the backend's tests.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "backend/backend.h"

namespace mezzo::test {

using Values = std::vector<double>;

/// Random values of a host tensor, always the same for the same seed.
Tensor random_tensor(const Shape& shape, unsigned seed, float spread = 1.0f);
/// The values of a host or CPU tensor, of any strides.
Values values(const Tensor& x);
/// Largest difference, over the largest expected value.
double relative_error(const Tensor& actual, const Values& expected);
double absolute_error(const Tensor& actual, const Values& expected);
/// Whether two contiguous tensors have the same bits.
bool same_bits(const Tensor& a, const Tensor& b);

Values conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dConfig&,
              const Shape& out);
/// channel_add, activation, gate and add, as Epilogue says. `image`: values of the result in an
/// image.
void finish(Values& y, const Epilogue&, std::int64_t image, std::int64_t channels);
Values linear(const Tensor& x, const Tensor& weight, const Tensor& bias);
Values attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionConfig&);
Values group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const GroupNormConfig&);
Values layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps);
Values modulated_layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double eps);
Values rms_norm(const Tensor& x, const Tensor& weight, double eps);
double activation(double x, Activation);

/// Calls body(name) once with each instruction set of our kernels that this CPU has.
void for_each_target(const std::function<void(const std::string&)>& body);

/// The shape of a convolution's result.
Shape conv_shape(const Tensor& x, const Conv2dConfig&);

}  // namespace mezzo::test
