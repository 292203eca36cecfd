#include "ops/ops.h"

namespace mezzo::ops {
namespace {

Tensor like(const Tensor& x) { return Tensor(x.device(), DType::kF32, x.shape()); }

/// b has a's shape, or the shape of a's last dimensions.
void check_broadcast(const Tensor& a, const Tensor& b) {
  bool ok = b.rank() <= a.rank();
  for (int i = 1; ok && i <= b.rank(); ++i) ok = b.dim(-i) == a.dim(-i);
  check(ok, "the second operand has the shape of the first, or of its last dimensions");
}

}  // namespace

Tensor activate(const Tensor& x, Activation activation) {
  Tensor out = like(x);
  backend_of(x).activate(x, activation, out);
  return out;
}

Tensor geglu(const Tensor& x) {
  check(x.dim(-1) % 2 == 0, "geglu halves the last dimension");
  Shape shape = x.shape();
  shape.set(-1, x.dim(-1) / 2);
  Tensor out(x.device(), DType::kF32, shape);
  backend_of(x).geglu(x, out);
  return out;
}

Tensor add(const Tensor& a, const Tensor& b) {
  check_broadcast(a, b);
  Tensor out = like(a);
  backend_of(a).add(a, b, out);
  return out;
}

Tensor multiply(const Tensor& a, const Tensor& b) {
  check_broadcast(a, b);
  Tensor out = like(a);
  backend_of(a).multiply(a, b, out);
  return out;
}

Tensor scale(const Tensor& x, float factor, float offset) {
  Tensor out = like(x);
  backend_of(x).scale(x, factor, offset, out);
  return out;
}

Tensor clamp(const Tensor& x, float low, float high) {
  Tensor out = like(x);
  backend_of(x).clamp(x, low, high, out);
  return out;
}

}  // namespace mezzo::ops
