#include "models/mmdit/joint_block.h"

#include <cmath>

namespace mezzo {
namespace {

constexpr float kEps = 1e-6f;

nn::FeedForward::Config feed_forward(std::int64_t width) {
  return {.width = width, .activation = Activation::kGeluTanh};
}

}  // namespace

Tensor Modulation::operator()(const Tensor& x) const {
  return ops::modulated_layer_norm(x, scale, shift, kEps);
}

AdaLayerNormZero::AdaLayerNormZero(const Weights& w, const Config& c)
    : config_(c), linear(w / "linear", {.in = c.width, .out = 3 * c.modulations * c.width}) {}

std::vector<Modulation> AdaLayerNormZero::operator()(const nn::StepEmbedding& temb) const {
  const Tensor all = temb.through(linear);  // [B, 3 * modulations * width]
  const auto part = [&](std::int64_t i) {
    return all.slice(1, i * config_.width, (i + 1) * config_.width);
  };
  std::vector<Modulation> modulations;
  for (std::int64_t i = 0; i < config_.modulations; ++i)
    modulations.push_back(
        {.scale = part(3 * i + 1), .shift = part(3 * i), .gate = part(3 * i + 2)});
  return modulations;
}

AdaLayerNormContinuous::AdaLayerNormContinuous(const Weights& w, std::int64_t width)
    : width_(width), linear(w / "linear", {.in = width, .out = 2 * width}) {}

Tensor AdaLayerNormContinuous::operator()(const Tensor& x, const nn::StepEmbedding& temb) const {
  const Tensor all = temb.through(linear);  // scale first, unlike in AdaLayerNormZero
  return ops::modulated_layer_norm(x, all.slice(1, 0, width_), all.slice(1, width_, 2 * width_),
                                   kEps);
}

JointAttention::JointAttention(const Weights& w, const Config& c)
    : config_(c),
      precision_(w.precision()),
      to_q(w / "to_q", {.in = c.heads * c.head_size, .out = c.heads * c.head_size}),
      to_k(w / "to_k", {.in = c.heads * c.head_size, .out = c.heads * c.head_size}),
      to_v(w / "to_v", {.in = c.heads * c.head_size, .out = c.heads * c.head_size}),
      to_out(w / "to_out" / 0, {.in = c.heads * c.head_size, .out = c.heads * c.head_size}),
      add_k_proj(w / "add_k_proj", {.in = c.heads * c.head_size, .out = c.heads * c.head_size}),
      add_v_proj(w / "add_v_proj", {.in = c.heads * c.head_size, .out = c.heads * c.head_size}) {
  const nn::Linear::Config square{.in = c.heads * c.head_size, .out = c.heads * c.head_size};
  const nn::RmsNorm::Config norm{.width = c.head_size, .eps = kEps};
  if (c.qk_norm) {
    norm_q.emplace(w / "norm_q", norm);
    norm_k.emplace(w / "norm_k", norm);
    norm_added_k.emplace(w / "norm_added_k", norm);
  }
  if (c.context_pre_only) {  // nobody reads what its queries would find
    for (const char* tensor : {"add_q_proj.weight", "add_q_proj.bias", "norm_added_q.weight"})
      w.pass_over(tensor);
    return;
  }
  add_q_proj.emplace(w / "add_q_proj", square);
  to_add_out.emplace(w / "to_add_out", square);
  if (c.qk_norm) norm_added_q.emplace(w / "norm_added_q", norm);
}

Streams JointAttention::operator()(const Streams& in, const Epilogue& to_context,
                                   const Epilogue& to_x) const {
  const auto by_head = [](const std::optional<nn::RmsNorm>& norm, const Tensor& t) {
    return norm ? norm->by_head(t) : t;
  };
  const std::array parts = {
      AttentionPart{.q = add_q_proj ? by_head(norm_added_q, (*add_q_proj)(in.context)) : Tensor(),
                    .k = by_head(norm_added_k, add_k_proj(in.context)),
                    .v = add_v_proj(in.context)},
      AttentionPart{
          .q = by_head(norm_q, to_q(in.x)), .k = by_head(norm_k, to_k(in.x)), .v = to_v(in.x)}};
  const auto found =
      ops::joint_attention(parts, {.heads = static_cast<int>(config_.heads),
                                   .scale = 1.0f / std::sqrt(static_cast<float>(config_.head_size)),
                                   .precision = precision_});
  return {.context = to_add_out ? (*to_add_out)(found[0], to_context) : Tensor(),
          .x = to_out(found[1], to_x)};
}

JointTransformerBlock::JointTransformerBlock(const Weights& w, const Config& c)
    : norm1(w / "norm1", {.width = c.heads * c.head_size, .modulations = c.dual_attention ? 3 : 2}),
      attn(w / "attn", {.heads = c.heads,
                        .head_size = c.head_size,
                        .qk_norm = c.qk_norm,
                        .context_pre_only = c.context_pre_only}),
      ff(w / "ff", feed_forward(c.heads * c.head_size)) {
  const auto width = c.heads * c.head_size;
  if (c.dual_attention)
    attn2.emplace(w / "attn2", nn::Attention::Config{.query = width,
                                                     .context = width,
                                                     .heads = c.heads,
                                                     .head_size = c.head_size,
                                                     .qkv_bias = true,
                                                     .qk_norm = c.qk_norm});
  if (c.context_pre_only) {
    norm1_context_pre_only.emplace(w / "norm1_context", width);
    return;
  }
  norm1_context.emplace(w / "norm1_context",
                        AdaLayerNormZero::Config{.width = width, .modulations = 2});
  ff_context.emplace(w / "ff_context", feed_forward(width));
}

Streams JointTransformerBlock::operator()(Streams s, const nn::StepEmbedding& temb) const {
  const auto m = norm1(temb);  // of attention, feed-forward and second attention
  const auto c = norm1_context ? (*norm1_context)(temb) : std::vector<Modulation>(2);
  const Tensor picture = attn2 ? m[2](s.x) : Tensor();
  const Streams normed{
      .context = norm1_context ? c[0](s.context) : (*norm1_context_pre_only)(s.context, temb),
      .x = m[0](s.x)};
  s = attn(normed, {.add = s.context, .gate = c[0].gate}, {.add = s.x, .gate = m[0].gate});
  if (attn2) s.x = (*attn2)(picture, picture, {.add = s.x, .gate = m[2].gate});
  s.x = ff(m[1](s.x), {.add = s.x, .gate = m[1].gate});
  if (ff_context) s.context = (*ff_context)(c[1](s.context), {.add = s.context, .gate = c[1].gate});
  return s;
}

}  // namespace mezzo
