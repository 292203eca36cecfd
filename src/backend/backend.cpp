#include "backend/backend.h"

namespace mezzo {

void Backend::geglu(const Tensor& x, Tensor& out) {
  const auto width = out.dim(-1);
  Tensor gate(*this, DType::kF32, out.shape());
  copy(x.slice(-1, width, 2 * width), gate);
  activate(gate, Activation::kGelu, gate);
  copy(x.slice(-1, 0, width), out);
  multiply(out, gate, out);
}

}  // namespace mezzo
