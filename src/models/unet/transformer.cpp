#include "models/unet/transformer.h"

namespace mezzo {

BasicTransformerBlock::BasicTransformerBlock(const Weights& w, const Config& c)
    : norm1(w / "norm1", {.width = c.width}),
      attn1(
          w / "attn1",
          {.query = c.width, .context = c.width, .heads = c.heads, .head_size = c.width / c.heads}),
      norm2(w / "norm2", {.width = c.width}),
      attn2(w / "attn2", {.query = c.width,
                          .context = c.context,
                          .heads = c.heads,
                          .head_size = c.width / c.heads,
                          .of_text = true}),
      norm3(w / "norm3", {.width = c.width}),
      ff(w / "ff", {.width = c.width}) {}

Tensor BasicTransformerBlock::operator()(Tensor x, const TextContext& text) const {
  const Tensor h = norm1(x);
  x = attn1(h, h, {.add = x});
  x = ops::repeat_rows(x, text.tokens.dim(0));  // until here the same for every text
  x = attn2(norm2(x), text.tokens, {.add = x}, text.memo);
  return ff(norm3(x), {.add = x});
}

Transformer2D::Transformer2D(const Weights& w, const Config& c)
    : norm(w / "norm", {.channels = c.channels, .groups = c.groups, .eps = 1e-6f}),
      proj_in((w / "proj_in").without_integers(), {.in = c.channels, .out = c.channels}),
      proj_out(w / "proj_out", {.in = c.channels, .out = c.channels}) {
  for (std::int64_t i = 0; i < c.layers; ++i)
    transformer_blocks.emplace_back(
        w / "transformer_blocks" / static_cast<std::size_t>(i),
        BasicTransformerBlock::Config{.width = c.channels, .context = c.context, .heads = c.heads});
}

Tensor Transformer2D::operator()(const Tensor& x, const TextContext& text) const {
  const Shape tokens{x.dim(0), x.dim(1) * x.dim(2), x.dim(3)};  // [B, H, W, C] -> [B, H*W, C]
  Tensor h = proj_in(norm(x).view(tokens));
  for (const auto& block : transformer_blocks) h = block(std::move(h), text);
  const Tensor residual = ops::repeat_rows(x, h.dim(0));
  return proj_out(h, {.add = residual.view(h.shape())}).view(residual.shape());
}

}  // namespace mezzo
