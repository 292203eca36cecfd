// Operations whose work is multiplications: convolution, linear layers, attention.
#include "ops/ops.h"

namespace mezzo::ops {

Backend& backend_of(const Tensor& x) { return static_cast<Backend&>(x.device()); }

namespace {
void check_epilogue(const Epilogue& e, const Shape& out) {
  if (e.add) check(e.add.shape() == out, "the added tensor has the shape of the result");
  if (e.channel_add)
    check(e.channel_add.rank() == 2 && e.channel_add.dim(0) == out[0] &&
              e.channel_add.dim(1) == out[-1],
          "channel_add is [batch, channels]");
  if (e.gate)
    check(e.gate.rank() == 2 && e.gate.dim(0) == out[0] && e.gate.dim(1) == out[-1],
          "gate is [batch, channels]");
}
}  // namespace

Tensor conv2d(const ConvInput& input, const Packed& w, const Conv2dConfig& c,
              const Epilogue& epilogue) {
  const Tensor& x = input.x;
  check(x.rank() == 4 && x.dim(3) == c.in && input.enlarge > 0, "conv2d takes [B, H, W, in]");
  const auto h = (input.height() + c.pad_top + c.pad_bottom - c.kernel) / c.stride + 1;
  const auto width = (input.width() + c.pad_left + c.pad_right - c.kernel) / c.stride + 1;
  check(h > 0 && width > 0, "the kernel fits the padded picture");
  Tensor out(x.device(), DType::kF32, {x.dim(0), h, width, c.out});
  check_epilogue(epilogue, out.shape());
  backend_of(x).conv2d(input, w, epilogue, out);
  return out;
}

Tensor linear(const Tensor& x, const Packed& w, std::int64_t out_features,
              const Epilogue& epilogue) {
  check(x.rank() >= 1, "linear takes [..., in]");
  Shape shape = x.shape();
  shape.set(-1, epilogue.geglu ? out_features / 2 : out_features);
  Tensor out(x.device(), DType::kF32, shape);
  check_epilogue(epilogue, shape);
  backend_of(x).linear(x, w, epilogue, out);
  return out;
}

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionConfig& c) {
  check(q.rank() == 3 && k.rank() == 3 && v.shape() == k.shape(),
        "attention takes [B, L, heads*d] three times");
  check(q.dim(0) == k.dim(0) && q.dim(2) == k.dim(2) && q.dim(2) % c.heads == 0,
        "heads divide the width");
  Tensor out(q.device(), DType::kF32, q.shape());
  backend_of(q).attention(q, k, v, c, out);
  return out;
}

std::vector<Tensor> joint_attention(std::span<const AttentionPart> parts,
                                    const AttentionConfig& c) {
  check(!parts.empty(), "joint attention takes one sequence or more");
  std::vector<Tensor> outs;
  for (const auto& p : parts)
    outs.push_back(p.q ? Tensor(p.k.device(), DType::kF32, p.q.shape()) : Tensor());
  backend_of(parts[0].k).joint_attention(parts, c, outs);
  return outs;
}

}  // namespace mezzo::ops
