#include "models/mmdit/mmdit.h"

#include <algorithm>

namespace mezzo {
namespace {

constexpr std::int64_t kTimestepFeatures = 256;

}  // namespace

PatchEmbed::PatchEmbed(const Weights& w, const MMDiTConfig& c)
    : backend_(w.backend()),
      config_(c),
      proj(w / "proj", {.in = c.in_channels,
                        .out = c.width(),
                        .kernel = static_cast<int>(c.patch_size),
                        .stride = static_cast<int>(c.patch_size),
                        .padding = 0}),
      pos_embed(w.lazy("pos_embed", {1, c.pos_embed_max_size * c.pos_embed_max_size, c.width()})) {}

Tensor PatchEmbed::positions(std::int64_t height, std::int64_t width) const {
  if (crop_.rows && crop_.height == height && crop_.width == width) return crop_.rows;
  const auto side = config_.pos_embed_max_size, D = config_.width();
  if (height > side || width > side)
    fail<UsageError>(
        "the picture has {}x{} patches, the model's positions end at {}x{}; choose a smaller size",
        width, height, side, side);
  const auto top = (side - height) / 2, left = (side - width) / 2;
  Tensor rows(host(), DType::kF32, {height * width, D});
  for (std::int64_t y = 0; backend_.has_data() && y < height; ++y)
    pos_embed.read(((top + y) * side + left) * D, width * D, rows.data<float>() + y * width * D);
  crop_ = {};  // its memory first
  crop_ = {height, width, backend_.upload(rows)};
  return crop_.rows;
}

Tensor PatchEmbed::operator()(const Tensor& sample) const {
  const Tensor patches = proj(sample);  // [B, H/patch, W/patch, D]
  const auto h = patches.dim(1), w = patches.dim(2);
  return ops::add(patches.view({patches.dim(0), h * w, patches.dim(3)}), positions(h, w));
}

CombinedTimestepTextProjEmbeddings::CombinedTimestepTextProjEmbeddings(const Weights& w,
                                                                       const MMDiTConfig& c)
    : timestep_embedder(w / "timestep_embedder", {.in = kTimestepFeatures, .out = c.width()}),
      text_embedder(w / "text_embedder", {.in = c.pooled_projection_dim, .out = c.width()}) {}

Tensor CombinedTimestepTextProjEmbeddings::operator()(std::span<const double> timesteps,
                                                      std::int64_t steps, const Tensor& pooled,
                                                      Memo* memo) const {
  const Tensor time = timestep_embedder(
      nn::sinusoid(ops::backend_of(pooled), timesteps, {.width = kTimestepFeatures}));
  const Tensor text = remembered(memo, &text_embedder, [&] { return text_embedder(pooled); });
  const auto pictures = time.dim(0) / steps;
  std::vector<Tensor> both;
  for (std::int64_t i = 0; i < steps; ++i)
    both.push_back(ops::add(
        text, ops::repeat_rows(time.slice(0, i * pictures, (i + 1) * pictures), text.dim(0))));
  return steps == 1 ? both[0] : ops::concat(both, 0);
}

MMDiT::MMDiT(const Weights& w, const MMDiTConfig& c)
    : config_(c),
      pos_embed(w / "pos_embed", c),
      time_text_embed(w / "time_text_embed", c),
      context_embedder(w / "context_embedder", {.in = c.joint_attention_dim, .out = c.width()}),
      norm_out(w / "norm_out", c.width()),
      proj_out(w / "proj_out",
               {.in = c.width(), .out = c.patch_size * c.patch_size * c.out_channels}) {
  const auto layers = static_cast<std::size_t>(c.num_layers);
  for (std::size_t i = 0; i < layers; ++i)
    transformer_blocks.emplace_back(
        w / "transformer_blocks" / i,
        JointTransformerBlock::Config{.heads = c.num_attention_heads,
                                      .head_size = c.attention_head_dim,
                                      .qk_norm = c.qk_norm,
                                      .dual_attention = c.dual_attention[i],
                                      .context_pre_only = i + 1 == layers});
}

Tensor MMDiT::operator()(const Tensor& sample, std::span<const double> timesteps, const Text& text,
                         std::span<const std::int64_t> skipped, const Trace& trace) const {
  const auto p = config_.patch_size;
  check(sample.dim(1) % p == 0 && sample.dim(2) % p == 0, "latents are whole patches");
  const nn::StepEmbedding temb(
      timesteps, text.pooled.dim(0), text.memo, [&](std::span<const double> times) {
        const auto steps = static_cast<std::int64_t>(times.size() / timesteps.size());
        const Tensor both = time_text_embed(times, steps, text.pooled, text.memo);
        (trace / "time_text_embed")(both);
        return ops::silu(both);  // every modulation begins with it
      });

  Streams s{.context = remembered(text.memo, &context_embedder,
                                  [&] { return context_embedder(text.tokens); }),
            .x = ops::repeat_rows(pos_embed(sample), text.tokens.dim(0))};
  (trace / "context_embedder")(s.context);
  (trace / "pos_embed")(s.x);
  s = layer(0, std::move(s), temb, skipped, trace);
  Tensor x;
  if (text.memo && text.memo->deep.on()) {
    x = s.x;  // what is used again is what the deep layers add
    const auto added = [&] {
      const Tensor last = deep(std::move(s), temb, skipped, trace);
      return ops::add(last, ops::scale(x, -1));
    };
    x = ops::add(x, text.memo->deep(x, added));
  } else {
    x = deep(std::move(s), temb, skipped, trace);
  }
  s = {};
  x = norm_out(x, temb);
  (trace / "norm_out")(x);
  x = proj_out(x);
  (trace / "proj_out")(x);
  // [B, h*w, p*p*C] -> [B, h, w, p, p, C] -> [B, h, p, w, p, C] = [B, H, W, C]
  const auto h = sample.dim(1) / p, w = sample.dim(2) / p, C = config_.out_channels;
  return ops::contiguous(x.view({x.dim(0), h, w, p, p, C}).permute({0, 1, 3, 2, 4, 5}))
      .view({x.dim(0), sample.dim(1), sample.dim(2), C});
}

Streams MMDiT::layer(std::size_t i, Streams s, const nn::StepEmbedding& temb,
                     std::span<const std::int64_t> skipped, const Trace& trace) const {
  if (std::ranges::find(skipped, static_cast<std::int64_t>(i)) != skipped.end()) return s;
  s = transformer_blocks[i](std::move(s), temb);
  const Trace here = trace / "transformer_blocks" / i;
  if (s.context) (here / "context")(s.context);
  (here / "hidden")(s.x);
  return s;
}

Tensor MMDiT::deep(Streams s, const nn::StepEmbedding& temb, std::span<const std::int64_t> skipped,
                   const Trace& trace) const {
  for (std::size_t i = 1; i < transformer_blocks.size(); ++i)
    s = layer(i, std::move(s), temb, skipped, trace);
  return s.x;
}

}  // namespace mezzo
