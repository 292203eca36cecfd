#include "backend/work.h"

#include <fmt/format.h>

namespace mezzo::work {
namespace {
constexpr std::int64_t kFloat = sizeof(float);
}  // namespace

OpWork conv2d(const ConvInput& input, const Conv2dConfig& c, const Tensor& out) {
  const std::int64_t weights = c.in * c.out * c.kernel * c.kernel;
  const std::int64_t pixels = out.dim(0) * out.dim(1) * out.dim(2);
  Shape x = input.x.shape();
  x.set(1, input.height());
  x.set(2, input.width());
  return {.name = fmt::format("conv{0}x{0}{1}", c.kernel, c.stride == 1 ? "" : "_stride"),
          .shape = fmt::format("{} -> {}", to_string(x), to_string(out.shape())),
          .flops = 2 * pixels * weights,
          .bytes = kFloat * (input.x.numel() + out.numel() + weights)};
}

OpWork packing(const Tensor& weight) {
  constexpr std::int64_t kBytesAValue = 32;  // as measured: it takes as long as moving so many
  return {.name = "packing",
          .shape = to_string(weight.shape()),
          .bytes = kBytesAValue * weight.numel()};
}

OpWork linear(const Tensor& x, std::int64_t in, std::int64_t out_width) {
  const std::int64_t rows = in ? x.numel() / in : 0;
  return {.name = "linear",
          .shape = fmt::format("{} -> {}", to_string(x.shape()), out_width),
          .flops = 2 * rows * in * out_width,
          .bytes = kFloat * (rows * (in + out_width) + in * out_width)};
}

OpWork attention(const Tensor& q, std::int64_t keys, int heads) {
  const std::int64_t rows = q.dim(0) * q.dim(1), width = q.dim(2);
  return {.name = "attention",
          .shape = fmt::format("{} x {}, {} heads", to_string(q.shape()), keys, heads),
          .flops = 4 * rows * keys * width,
          .bytes = kFloat * 2 * (q.numel() + q.dim(0) * keys * width)};
}

OpWork joint_attention(std::span<const AttentionPart> parts, std::int64_t keys, int heads) {
  Shape rows = parts.front().k.shape();
  rows.set(1, 0);
  for (const auto& part : parts)
    if (part.q) rows.set(1, rows[1] + part.q.dim(1));
  return {.name = "attention",
          .shape = fmt::format("{} x {}, {} heads", to_string(rows), keys, heads),
          .flops = 4 * rows.numel() * keys,
          .bytes = kFloat * 2 * (rows.numel() + rows[0] * keys * rows[2])};
}

OpWork pointwise(const char* name, const Tensor& x, int flops_per_value, int passes) {
  return {.name = name,
          .shape = to_string(x.shape()),
          .flops = flops_per_value * x.numel(),
          .bytes = passes * kFloat * x.numel()};
}

}  // namespace mezzo::work
