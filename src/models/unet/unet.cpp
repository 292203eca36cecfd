#include "models/unet/unet.h"

#include <array>
#include <utility>

namespace mezzo {
namespace {

ResnetBlock::Config resnet_config(const UNetConfig& u, std::int64_t in, std::int64_t out) {
  return {.in = in,
          .out = out,
          .temb = u.time_embed_dim(),
          .groups = u.norm_num_groups,
          .eps = u.norm_eps};
}

Transformer2D::Config transformer_config(const UNetConfig& u, std::size_t level) {
  return {.channels = u.block_out_channels[level],
          .context = u.cross_attention_dim,
          .heads = u.heads[level],
          .layers = u.transformer_layers[level],
          .groups = u.norm_num_groups};
}

Tensor taken(std::vector<Tensor>& skips) {
  Tensor last = std::move(skips.back());
  skips.pop_back();
  return last;
}

/// [x | skip], with the skip for each of the texts that x has rows of.
Tensor join(Tensor x, Tensor skip) {
  const auto rows = x.dim(0);
  return ops::concat(
      std::array{std::exchange(x, {}), ops::repeat_rows(std::exchange(skip, {}), rows)}, -1);
}

}  // namespace

DownBlock::DownBlock(const Weights& w, const UNetConfig& u, const Config& c) {
  for (std::size_t j = 0; j < static_cast<std::size_t>(u.layers_per_block[c.level]); ++j) {
    resnets.emplace_back(w / "resnets" / j, resnet_config(u, j == 0 ? c.in : c.out, c.out));
    if (u.down_attention[c.level])
      attentions.emplace_back(w / "attentions" / j, transformer_config(u, c.level));
  }
  if (c.downsample)
    downsampler.emplace((w / "downsamplers" / 0 / "conv").without_integers(),
                        nn::Conv2d::Config{.in = c.out, .out = c.out, .stride = 2});
}

Tensor DownBlock::operator()(Tensor x, const nn::StepEmbedding& temb, const TextContext& text,
                             std::vector<Tensor>& skips, const Trace& trace) const {
  for (std::size_t j = 0; j < resnets.size(); ++j) {
    x = resnets[j](std::move(x), temb);
    (trace / "resnets" / j)(x);
    if (!attentions.empty()) {
      x = attentions[j](x, text);
      (trace / "attentions" / j)(x);
    }
    skips.push_back(x);
  }
  if (downsampler) {
    x = (*downsampler)(x);
    skips.push_back(x);
  }
  return x;
}

MidBlock::MidBlock(const Weights& w, const UNetConfig& u)
    : resnet_0(w / "resnets" / 0,
               resnet_config(u, u.block_out_channels.back(), u.block_out_channels.back())),
      resnet_1(w / "resnets" / 1,
               resnet_config(u, u.block_out_channels.back(), u.block_out_channels.back())) {
  if (u.mid_attention)
    attention.emplace(w / "attentions" / 0, transformer_config(u, u.block_out_channels.size() - 1));
}

Tensor MidBlock::operator()(Tensor x, const nn::StepEmbedding& temb, const TextContext& text,
                            const Trace& trace) const {
  x = resnet_0(std::move(x), temb);
  (trace / "resnets" / 0)(x);
  if (attention) {
    x = (*attention)(x, text);
    (trace / "attentions" / 0)(x);
  }
  return resnet_1(std::move(x), temb);
}

UpBlock::UpBlock(const Weights& w, const UNetConfig& u, const Config& c) {
  for (std::size_t j = 0; j < c.skips.size(); ++j) {
    resnets.emplace_back(w / "resnets" / j,
                         resnet_config(u, (j == 0 ? c.in : c.out) + c.skips[j], c.out));
    if (c.attention) attentions.emplace_back(w / "attentions" / j, transformer_config(u, c.level));
  }
  if (c.upsample)
    upsampler.emplace((w / "upsamplers" / 0 / "conv").without_integers(),
                      nn::Conv2d::Config{.in = c.out, .out = c.out});
}

Tensor UpBlock::layer(std::size_t j, Tensor joined, const nn::StepEmbedding& temb,
                      const TextContext& text, const Trace& trace) const {
  Tensor x = resnets[j](std::move(joined), temb);
  (trace / "resnets" / j)(x);
  if (attentions.empty()) return x;
  x = attentions[j](x, text);
  (trace / "attentions" / j)(x);
  return x;
}

Tensor UpBlock::operator()(Tensor x, const nn::StepEmbedding& temb, const TextContext& text,
                           std::vector<Tensor>& skips, const Trace& trace) const {
  for (std::size_t j = 0; j < layers(); ++j)
    x = layer(j, join(std::move(x), taken(skips)), temb, text, trace);
  if (upsampler)
    x = (*upsampler)(ops::upsample_nearest(x, skips.back().dim(1), skips.back().dim(2)));
  return x;
}

UNet::UNet(const Weights& w, const UNetConfig& c)
    : config_(c),
      conv_in(w / "conv_in", {.in = c.in_channels, .out = c.block_out_channels[0]}),
      time_embedding(w / "time_embedding",
                     {.in = c.block_out_channels[0], .out = c.time_embed_dim()}),
      mid_block(w / "mid_block", c),
      conv_norm_out(w / "conv_norm_out", {.channels = c.block_out_channels[0],
                                          .groups = c.norm_num_groups,
                                          .eps = c.norm_eps,
                                          .activation = Activation::kSilu}),
      conv_out(w / "conv_out", {.in = c.block_out_channels[0], .out = c.out_channels}) {
  const std::size_t levels = c.block_out_channels.size();
  std::vector<std::int64_t> skips = {c.block_out_channels[0]};  // channels of every skip, in order
  for (std::size_t i = 0; i < levels; ++i) {
    const bool last = i + 1 == levels;
    const auto in = c.block_out_channels[i == 0 ? 0 : i - 1], out = c.block_out_channels[i];
    down_blocks.emplace_back(
        w / "down_blocks" / i, c,
        DownBlock::Config{.in = in, .out = out, .level = i, .downsample = !last});
    skips.insert(skips.end(), static_cast<std::size_t>(c.layers_per_block[i]) + !last, out);
  }
  auto in = c.block_out_channels.back();
  for (std::size_t i = 0; i < levels; ++i) {
    const std::size_t level = levels - 1 - i;
    const auto count = static_cast<std::ptrdiff_t>(c.layers_per_block[level]) + 1;
    std::vector<std::int64_t> taken(skips.rbegin(), skips.rbegin() + count);
    skips.resize(skips.size() - static_cast<std::size_t>(count));
    up_blocks.emplace_back(w / "up_blocks" / i, c,
                           UpBlock::Config{.in = in,
                                           .out = c.block_out_channels[level],
                                           .skips = std::move(taken),
                                           .level = level,
                                           .attention = c.up_attention[i],
                                           .upsample = i + 1 < levels});
    in = c.block_out_channels[level];
  }
}

Tensor UNet::operator()(const Tensor& sample, std::span<const double> timesteps,
                        const TextContext& text, const Trace& trace) const {
  const nn::StepEmbedding temb(
      timesteps, sample.dim(0), text.memo, [&](std::span<const double> times) {
        const Tensor time = time_embedding(nn::sinusoid(ops::backend_of(sample), times,
                                                        {.width = config_.block_out_channels[0],
                                                         .flip_sin_to_cos = config_.flip_sin_to_cos,
                                                         .freq_shift = config_.freq_shift}));
        (trace / "time_embedding")(time);
        return ops::silu(time);  // every block begins with it
      });

  Tensor first = conv_in(sample);
  (trace / "conv_in")(first);
  const auto compute = [&] { return deep(first, temb, text, trace); };
  Tensor x = text.memo ? text.memo->deep(first, compute) : compute();
  const UpBlock& last = up_blocks.back();
  const Trace here = trace / "up_blocks" / (up_blocks.size() - 1);
  x = last.layer(last.layers() - 1, join(std::move(x), std::move(first)), temb, text, here);
  here(x);
  return ops::repeat_rows(conv_out(conv_norm_out.before_conv(x)), text.tokens.dim(0));
}

Tensor UNet::deep(const Tensor& first, const nn::StepEmbedding& temb, const TextContext& text,
                  const Trace& trace) const {
  std::vector<Tensor> skips = {first};
  Tensor x = first;
  for (std::size_t i = 0; i < down_blocks.size(); ++i) {
    const Trace here = trace / "down_blocks" / i;
    x = down_blocks[i](std::move(x), temb, text, skips, here);
    here(x);
  }
  x = mid_block(std::move(x), temb, text, trace / "mid_block");
  (trace / "mid_block")(x);
  const std::size_t last = up_blocks.size() - 1;
  for (std::size_t i = 0; i < last; ++i) {
    const Trace here = trace / "up_blocks" / i;
    x = up_blocks[i](std::move(x), temb, text, skips, here);
    here(x);
  }
  for (std::size_t j = 0; j + 1 < up_blocks[last].layers(); ++j)
    x = up_blocks[last].layer(j, join(std::move(x), taken(skips)), temb, text,
                              trace / "up_blocks" / last);
  return x;
}

}  // namespace mezzo
