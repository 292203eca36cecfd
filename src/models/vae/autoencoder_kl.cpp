#include "models/vae/autoencoder_kl.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "base/config.h"

namespace mezzo {
namespace {

constexpr float kEps = 1e-6f;

ResnetBlock::Config resnet_config(std::int64_t in, std::int64_t out, int groups) {
  return {.in = in, .out = out, .temb = 0, .groups = groups, .eps = kEps};
}

constexpr std::int64_t kMaxVaeChannels = 16384, kMaxLatents = 256, kMaxVaeLayers = 16;

void check_sizes(const AutoencoderKLConfig& c, const std::string& origin) {
  if (c.in_channels != 3 || c.out_channels != 3)
    fail<LoadError>("{}: a VAE of {} -> {} channels; pictures have 3", origin, c.in_channels,
                    c.out_channels);
  if (c.latent_channels < 1 || c.latent_channels > kMaxLatents || c.layers_per_block < 1 ||
      c.layers_per_block > kMaxVaeLayers ||
      std::ranges::max(c.block_out_channels) > kMaxVaeChannels)
    fail<LoadError>("{}: a VAE of impossible sizes", origin);
  for (auto channels : c.block_out_channels)
    if (channels <= 0 || channels % c.norm_num_groups)
      fail<LoadError>(
          "{}: a VAE with {} channels in groups of norm_num_groups = {} cannot be built; give its "
          "config.json by --config",
          origin, channels, c.norm_num_groups);
}

}  // namespace

AutoencoderKLConfig AutoencoderKLConfig::parse(const nlohmann::json& json,
                                               const std::string& origin) {
  const ConfigReader r(json, origin);
  AutoencoderKLConfig c;
  c.in_channels = r.integer("in_channels", 3, 1, 16);
  c.out_channels = r.integer("out_channels", 3, 1, 16);
  c.latent_channels = r.integer("latent_channels", 4, 1, kMaxLatents);
  c.block_out_channels =
      r.integers("block_out_channels", 1, {128, 256, 512, 512}, 1, kMaxVaeChannels);
  if (c.block_out_channels.size() > 8) fail<LoadError>("{}: more than 8 levels in a VAE", origin);
  c.layers_per_block = r.integer("layers_per_block", 2, 1, kMaxVaeLayers);
  c.norm_num_groups = static_cast<int>(r.integer("norm_num_groups", 32, 1, 1024));
  c.use_quant_conv = r.boolean("use_quant_conv", true);
  c.use_post_quant_conv = r.boolean("use_post_quant_conv", true);
  c.mid_block_add_attention = r.boolean("mid_block_add_attention", true);
  c.scaling_factor = static_cast<float>(r.number("scaling_factor", 0.18215));
  c.shift_factor = static_cast<float>(r.number("shift_factor", 0.0));
  if (!(c.scaling_factor > 0)) fail<LoadError>("{}: \"scaling_factor\" should be above 0", origin);
  check_sizes(c, origin);
  return c;
}

AutoencoderKLConfig AutoencoderKLConfig::detect(const TensorSource& tensors) {
  auto dim = [&](const std::string& name, int axis) {
    const auto i = tensors.find(name);
    if (i < 0 || tensors.tensors()[static_cast<std::size_t>(i)].shape.rank() != 4)
      fail<LoadError>("{}: has no VAE tensor {}; give a complete VAE with --vae", tensors.origin(),
                      name);
    return tensors.tensors()[static_cast<std::size_t>(i)].shape[axis];
  };
  AutoencoderKLConfig c;
  c.in_channels = dim("encoder.conv_in.weight", 1);
  c.out_channels = dim("decoder.conv_out.weight", 0);
  c.latent_channels = dim("decoder.conv_in.weight", 1);
  for (std::size_t i = 0;
       tensors.has(fmt::format("encoder.down_blocks.{}.resnets.0.conv1.weight", i)); ++i)
    c.block_out_channels.push_back(
        dim(fmt::format("encoder.down_blocks.{}.resnets.0.conv1.weight", i), 0));
  if (c.block_out_channels.empty() || c.block_out_channels.size() > 8)
    fail<LoadError>("{}: has no VAE encoder blocks; give a complete VAE with --vae",
                    tensors.origin());
  c.layers_per_block = 0;
  while (
      tensors.has(fmt::format("encoder.down_blocks.0.resnets.{}.conv1.weight", c.layers_per_block)))
    ++c.layers_per_block;
  c.use_quant_conv = tensors.has("quant_conv.weight");
  c.use_post_quant_conv = tensors.has("post_quant_conv.weight");
  c.mid_block_add_attention = tensors.has("decoder.mid_block.attentions.0.group_norm.weight");
  if (c.latent_channels == 16) {  // SD 3's VAE; its factors are not in the file
    c.scaling_factor = 1.5305f;
    c.shift_factor = 0.0609f;
  }
  check_sizes(c, tensors.origin());
  return c;
}

VaeAttention::VaeAttention(const Weights& w, const Config& c)
    : group_norm(w / "group_norm", {.channels = c.channels, .groups = c.groups, .eps = kEps}),
      to_q(w / "to_q", {.in = c.channels, .out = c.channels}),
      to_k(w / "to_k", {.in = c.channels, .out = c.channels}),
      to_v(w / "to_v", {.in = c.channels, .out = c.channels}),
      to_out(w / "to_out" / 0, {.in = c.channels, .out = c.channels}),
      scale_(1.0f / std::sqrt(static_cast<float>(c.channels))) {}

Tensor VaeAttention::operator()(const Tensor& x) const {
  const Shape tokens{x.dim(0), x.dim(1) * x.dim(2), x.dim(3)};  // [B, H, W, C] -> [B, H*W, C]
  const Tensor h = group_norm(x).view(tokens);
  return to_out(ops::attention(to_q(h), to_k(h), to_v(h), {.heads = 1, .scale = scale_}),
                {.add = x.view(tokens)})
      .view(x.shape());
}

VaeMidBlock::VaeMidBlock(const Weights& w, const Config& c)
    : resnet_0(w / "resnets" / 0, resnet_config(c.channels, c.channels, c.groups)),
      resnet_1(w / "resnets" / 1, resnet_config(c.channels, c.channels, c.groups)) {
  if (c.attention)
    attention.emplace(w / "attentions" / 0,
                      VaeAttention::Config{.channels = c.channels, .groups = c.groups});
}

Tensor VaeMidBlock::operator()(Tensor x, const Trace& trace) const {
  x = resnet_0(std::move(x));
  if (attention) {
    x = (*attention)(x);
    (trace / "attentions" / 0)(x);
  }
  return resnet_1(std::move(x));
}

VaeBlock::VaeBlock(const Weights& w, const Config& c) {
  for (std::int64_t j = 0; j < c.layers; ++j)
    resnets.emplace_back(w / "resnets" / static_cast<std::size_t>(j),
                         resnet_config(j == 0 ? c.in : c.out, c.out, c.groups));
  // The encoder pads only the right and bottom edge before it halves the size.
  if (c.resize == Resize::kDown)
    downsampler.emplace(
        w / "downsamplers" / 0 / "conv",
        nn::Conv2d::Config{.in = c.out, .out = c.out, .stride = 2, .pad_end_only = true});
  if (c.resize == Resize::kUp)
    upsampler.emplace(w / "upsamplers" / 0 / "conv", nn::Conv2d::Config{.in = c.out, .out = c.out});
}

Tensor VaeBlock::operator()(Tensor x) const {
  for (const auto& resnet : resnets) x = resnet(std::move(x));
  if (downsampler) x = (*downsampler)(x);
  if (!upsampler) return x;
  ConvInput twice(std::move(x));
  twice.enlarge = 2;
  return (*upsampler)(twice);
}

VaeEncoder::VaeEncoder(const Weights& weights, const AutoencoderKLConfig& c)
    : conv_in(weights / "encoder" / "conv_in",
              {.in = c.in_channels, .out = c.block_out_channels[0]}),
      mid_block(weights / "encoder" / "mid_block", {.channels = c.block_out_channels.back(),
                                                    .groups = c.norm_num_groups,
                                                    .attention = c.mid_block_add_attention}),
      conv_norm_out(weights / "encoder" / "conv_norm_out", {.channels = c.block_out_channels.back(),
                                                            .groups = c.norm_num_groups,
                                                            .eps = kEps,
                                                            .activation = Activation::kSilu}),
      conv_out(weights / "encoder" / "conv_out",
               {.in = c.block_out_channels.back(), .out = 2 * c.latent_channels}),
      latent_channels_(c.latent_channels) {
  const Weights w = weights / "encoder" / "down_blocks";
  const std::size_t levels = c.block_out_channels.size();
  for (std::size_t i = 0; i < levels; ++i)
    down_blocks.emplace_back(
        w / i, VaeBlock::Config{
                   .in = c.block_out_channels[i == 0 ? 0 : i - 1],
                   .out = c.block_out_channels[i],
                   .layers = c.layers_per_block,
                   .groups = c.norm_num_groups,
                   .resize = i + 1 < levels ? VaeBlock::Resize::kDown : VaeBlock::Resize::kNone});
  if (c.use_quant_conv)
    quant_conv.emplace(
        weights / "quant_conv",
        nn::Conv2d::Config{
            .in = 2 * c.latent_channels, .out = 2 * c.latent_channels, .kernel = 1, .padding = 0});
}

LatentDistribution VaeEncoder::operator()(const Tensor& image, const Trace& trace) const {
  const Trace here = trace / "encoder";
  Tensor x = conv_in(image);
  for (std::size_t i = 0; i < down_blocks.size(); ++i) {
    x = down_blocks[i](std::move(x));
    (here / "down_blocks" / i)(x);
  }
  x = mid_block(std::move(x), here / "mid_block");
  (here / "mid_block")(x);
  x = conv_out(conv_norm_out.before_conv(x));
  here(x);
  if (quant_conv) x = (*quant_conv)(x);
  return {.mean = ops::contiguous(x.slice(-1, 0, latent_channels_)),
          .logvar = ops::clamp(ops::contiguous(x.slice(-1, latent_channels_, 2 * latent_channels_)),
                               -30.0f, 20.0f)};
}

VaeDecoder::VaeDecoder(const Weights& weights, const AutoencoderKLConfig& c)
    : conv_in(weights / "decoder" / "conv_in",
              {.in = c.latent_channels, .out = c.block_out_channels.back()}),
      mid_block(weights / "decoder" / "mid_block", {.channels = c.block_out_channels.back(),
                                                    .groups = c.norm_num_groups,
                                                    .attention = c.mid_block_add_attention}),
      conv_norm_out(weights / "decoder" / "conv_norm_out", {.channels = c.block_out_channels[0],
                                                            .groups = c.norm_num_groups,
                                                            .eps = kEps,
                                                            .activation = Activation::kSilu}),
      conv_out(weights / "decoder" / "conv_out",
               {.in = c.block_out_channels[0], .out = c.out_channels}) {
  if (c.use_post_quant_conv)
    post_quant_conv.emplace(
        weights / "post_quant_conv",
        nn::Conv2d::Config{
            .in = c.latent_channels, .out = c.latent_channels, .kernel = 1, .padding = 0});
  const Weights w = weights / "decoder" / "up_blocks";
  const std::size_t levels = c.block_out_channels.size();
  for (std::size_t i = 0; i < levels; ++i)
    up_blocks.emplace_back(
        w / i, VaeBlock::Config{
                   .in = c.block_out_channels[i == 0 ? levels - 1 : levels - i],
                   .out = c.block_out_channels[levels - 1 - i],
                   .layers = c.layers_per_block + 1,
                   .groups = c.norm_num_groups,
                   .resize = i + 1 < levels ? VaeBlock::Resize::kUp : VaeBlock::Resize::kNone});
}

Tensor VaeDecoder::operator()(const Tensor& latents, const Trace& trace) const {
  const Trace here = trace / "decoder";
  Tensor x = conv_in(post_quant_conv ? (*post_quant_conv)(latents) : latents);
  (here / "conv_in")(x);
  x = mid_block(std::move(x), here / "mid_block");
  (here / "mid_block")(x);
  for (const auto& block : up_blocks) x = block(std::move(x));
  return conv_out(conv_norm_out.before_conv(x));
}

}  // namespace mezzo
