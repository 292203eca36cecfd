// Operations that only move values.
#include "ops/ops.h"

namespace mezzo::ops {

Tensor upsample_nearest(const Tensor& x, std::int64_t height, std::int64_t width) {
  Tensor out(x.device(), DType::kF32, {x.dim(0), height, width, x.dim(3)});
  backend_of(x).upsample_nearest(x, out);
  return out;
}

Tensor concat(std::span<const Tensor> parts, int dim) {
  check(!parts.empty(), "concat takes one tensor or more");
  Shape shape = parts[0].shape();
  std::int64_t total = 0;
  for (const auto& p : parts) total += p.dim(dim);
  shape.set(dim, total);
  Tensor out(parts[0].device(), DType::kF32, shape);
  std::int64_t at = 0;
  for (const auto& p : parts) {
    Tensor place = out.slice(dim, at, at + p.dim(dim));
    check(place.shape() == p.shape(), "concat takes tensors that differ in one dimension only");
    backend_of(out).copy(p, place);
    at += p.dim(dim);
  }
  return out;
}

Tensor repeat_rows(const Tensor& x, std::int64_t rows) {
  check(rows >= x.dim(0) && rows % x.dim(0) == 0, "rows are repeated a whole number of times");
  if (rows == x.dim(0)) return x;
  return concat(std::vector<Tensor>(static_cast<std::size_t>(rows / x.dim(0)), x), 0);
}

Tensor contiguous(const Tensor& x) {
  if (x.contiguous()) return x;
  Tensor out(x.device(), DType::kF32, x.shape());
  backend_of(x).copy(x, out);
  return out;
}

Tensor nchw_to_nhwc(const Tensor& x) { return contiguous(x.permute({0, 2, 3, 1})); }
Tensor nhwc_to_nchw(const Tensor& x) { return contiguous(x.permute({0, 3, 1, 2})); }

}  // namespace mezzo::ops
