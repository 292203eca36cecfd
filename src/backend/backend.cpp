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

void Backend::modulated_layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift,
                                   float eps, Tensor& out) {
  const Shape row{x.dim(-1)};
  Tensor factor(*this, DType::kF32, row), offset(*this, DType::kF32, row);
  layer_norm(x, {}, {}, eps, out);
  for (std::int64_t b = 0; b < x.dim(0); ++b) {
    Tensor image = out.slice(0, b, b + 1);
    const auto copy_row = [&](const Tensor& from, Tensor& to) {
      Tensor one = to.view({1, x.dim(-1)});
      copy(from.slice(0, b, b + 1), one);
    };
    copy_row(scale, factor);
    copy_row(shift, offset);
    this->scale(factor, 1, 1, factor);
    multiply(image, factor, image);
    add(image, offset, image);
  }
}

void Backend::joint_attention(std::span<const AttentionPart> parts, const AttentionConfig& c,
                              std::span<Tensor> outs) {
  const auto join = [&](Tensor AttentionPart::*what) {
    Shape shape = parts.front().k.shape();
    shape.set(1, 0);
    for (const auto& p : parts)
      if (p.*what) shape.set(1, shape[1] + (p.*what).dim(1));
    Tensor all(*this, DType::kF32, shape);
    std::int64_t at = 0;
    for (const auto& p : parts) {
      if (!(p.*what)) continue;
      Tensor place = all.slice(1, at, at + (p.*what).dim(1));
      copy(p.*what, place);
      at += place.dim(1);
    }
    return all;
  };
  const Tensor q = join(&AttentionPart::q);
  Tensor out(*this, DType::kF32, q.shape());
  attention(q, join(&AttentionPart::k), join(&AttentionPart::v), c, out);
  std::int64_t at = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].q) continue;
    copy(out.slice(1, at, at + parts[i].q.dim(1)), outs[i]);
    at += parts[i].q.dim(1);
  }
}

}  // namespace mezzo
