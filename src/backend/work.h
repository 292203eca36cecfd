// Arithmetic and memory traffic of every operation, for profiles and predictions.
#pragma once

#include "backend/backend.h"

namespace mezzo::work {

/// What one call does. flops: multiplications and additions of the plain algorithm; bytes: operands
/// read and written once.
struct OpWork {
  std::string name, shape;
  std::int64_t flops = 0, bytes = 0;
};

OpWork conv2d(const ConvInput& x, const Conv2dConfig& config, const Tensor& out);
OpWork packing(const Tensor& weight);  // read, decode, pack and encode
OpWork linear(const Tensor& x, std::int64_t in, std::int64_t out_width);
OpWork attention(const Tensor& q, std::int64_t keys, int heads);
OpWork joint_attention(std::span<const AttentionPart> parts, std::int64_t keys, int heads);
/// Operations that do `flops_per_value` for each value of x and pass over memory `passes` times.
OpWork pointwise(const char* name, const Tensor& x, int flops_per_value, int passes);

}  // namespace mezzo::work
