#include "models/unet/config.h"

#include <nlohmann/json.hpp>

#include "base/config.h"
#include "base/error.h"

namespace mezzo {
namespace {

constexpr std::int64_t kMaxChannels = 16384;

std::vector<bool> attention_levels(const ConfigReader& c, std::string_view key,
                                   std::string_view with, std::string_view without,
                                   std::vector<std::string> fallback) {
  std::vector<bool> levels;
  for (const auto& type : c.texts(key, std::move(fallback))) {
    if (type != with && type != without)
      fail<LoadError>("{}: blocks of type {} are not supported; {} and {} are", c.origin(), type,
                      with, without);
    levels.push_back(type == with);
  }
  return levels;
}

/// Fields whose other values make another network.
void refuse_variants(const ConfigReader& c) {
  if (c.has("time_cond_proj_dim"))
    fail<LoadError>(
        "{}: \"time_cond_proj_dim\" is set: this UNet was distilled to be told the guidance "
        "(LCM_Dreamshaper and others), which Mezzotint cannot run yet; LCM models without it work",
        c.origin());
  for (const char* key : {"class_embed_type", "encoder_hid_dim", "addition_embed_type",
                          "num_class_embeds", "timestep_post_act", "time_embedding_act_fn"})
    if (c.has(key))
      fail<LoadError>(
          "{}: \"{}\" is set, so this is another kind of UNet (SDXL and others use it), which "
          "Mezzotint cannot run yet; Stable Diffusion 1.x, 2.x and inpainting models work",
          c.origin(), key);
  if (c.text("resnet_time_scale_shift", "default") != "default" ||
      c.text("act_fn", "silu") != "silu" ||
      c.text("time_embedding_type", "positional") != "positional" ||
      c.boolean("dual_cross_attention", false) || c.boolean("only_cross_attention", false) ||
      c.integer("conv_in_kernel", 3, 1, 9) != 3 || c.boolean("center_input_sample", false) ||
      c.integer("downsample_padding", 1, 0, 9) != 1 || c.number("mid_block_scale_factor", 1) != 1 ||
      c.number("resnet_out_scale_factor", 1) != 1 ||
      c.text("attention_type", "default") != "default")
    fail<LoadError>("{}: describes a variant of the UNet that Mezzotint cannot run yet",
                    c.origin());
}

}  // namespace

UNetConfig UNetConfig::parse(const nlohmann::json& json, const std::string& origin) {
  const ConfigReader c(json, origin);
  refuse_variants(c);
  UNetConfig u;
  u.in_channels = c.integer("in_channels", 4, 1, 64);
  u.out_channels = c.integer("out_channels", 4, 1, 64);
  u.block_out_channels =
      c.integers("block_out_channels", 4, {320, 640, 1280, 1280}, 1, kMaxChannels);
  const auto levels = u.block_out_channels.size();
  u.down_attention = attention_levels(
      c, "down_block_types", "CrossAttnDownBlock2D", "DownBlock2D",
      {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"});
  u.up_attention = attention_levels(
      c, "up_block_types", "CrossAttnUpBlock2D", "UpBlock2D",
      {"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"});
  u.layers_per_block =
      c.integers("layers_per_block", levels, std::vector<std::int64_t>(levels, 2), 1, 16);
  u.transformer_layers = c.integers("transformer_layers_per_block", levels,
                                    std::vector<std::int64_t>(levels, 1), 1, 64);
  // diffusers reads the number of heads from "attention_head_dim" where "num_attention_heads" is
  // absent.
  u.heads = c.integers(c.has("num_attention_heads") ? "num_attention_heads" : "attention_head_dim",
                       levels, std::vector<std::int64_t>(levels, 8), 1, 1024);
  u.cross_attention_dim = c.integer("cross_attention_dim", 1280, 1, kMaxChannels);
  u.norm_num_groups = static_cast<int>(c.integer("norm_num_groups", 32, 1, 1024));
  u.norm_eps = static_cast<float>(c.number("norm_eps", 1e-5));
  const auto mid = c.text("mid_block_type", "UNetMidBlock2DCrossAttn");
  u.mid_attention = mid == "UNetMidBlock2DCrossAttn";
  if (!u.mid_attention && mid != "UNetMidBlock2D")
    fail<LoadError>("{}: mid block {} is not supported", origin, mid);
  u.flip_sin_to_cos = c.boolean("flip_sin_to_cos", true);
  u.freq_shift = c.number("freq_shift", 0);
  u.sample_size = c.integer("sample_size", 64, 1, 1024);

  if (u.down_attention.size() != levels || u.up_attention.size() != levels ||
      u.layers_per_block.size() != levels || u.transformer_layers.size() != levels ||
      u.heads.size() != levels)
    fail<LoadError>(
        "{}: lists of different lengths describe the levels of the UNet; block_out_channels has {}",
        origin, levels);
  for (std::size_t i = 0; i < levels; ++i)
    if (u.block_out_channels[i] % u.norm_num_groups || u.block_out_channels[i] % u.heads[i])
      fail<LoadError>("{}: {} channels cannot be divided into {} groups and {} heads", origin,
                      u.block_out_channels[i], u.norm_num_groups, u.heads[i]);
  return u;
}

UNetConfig UNetConfig::detect(const TensorSource& tensors) {
  auto shape = [&](const std::string& name) -> Shape {
    const auto i = tensors.find(name);
    if (i < 0)
      fail<LoadError>(
          "{}: has no UNet tensor {}; the file is incomplete, or not a Stable Diffusion model",
          tensors.origin(), name);
    const auto& s = tensors.tensors()[static_cast<std::size_t>(i)].shape;
    if (s.rank() < 2)
      fail<LoadError>("{}: UNet tensor {} has shape {}", tensors.origin(), name, to_string(s));
    return s;
  };
  UNetConfig u;
  u.in_channels = shape("conv_in.weight")[1];
  u.out_channels = shape("conv_out.weight")[0];
  for (std::size_t i = 0;; ++i) {
    const auto block = fmt::format("down_blocks.{}.", i);
    std::int64_t layers = 0;
    while (tensors.has(fmt::format("{}resnets.{}.conv1.weight", block, layers))) ++layers;
    if (layers == 0) break;
    u.layers_per_block.push_back(layers);
    u.block_out_channels.push_back(shape(block + "resnets.0.conv1.weight")[0]);
    const auto attention = block + "attentions.0.";
    const bool has_attention = tensors.has(attention + "norm.weight");
    u.down_attention.push_back(has_attention);
    std::int64_t depth = 0;
    while (tensors.has(fmt::format("{}transformer_blocks.{}.norm1.weight", attention, depth)))
      ++depth;
    u.transformer_layers.push_back(std::max<std::int64_t>(depth, 1));
    if (has_attention)
      u.cross_attention_dim = shape(attention + "transformer_blocks.0.attn2.to_k.weight")[1];
  }
  const auto levels = u.block_out_channels.size();
  if (levels == 0)
    fail<LoadError>("{}: has no UNet blocks; it is not a Stable Diffusion model", tensors.origin());
  for (std::size_t i = 0; i < levels; ++i)
    u.up_attention.push_back(tensors.has(fmt::format("up_blocks.{}.attentions.0.norm.weight", i)));
  u.mid_attention = tensors.has("mid_block.attentions.0.norm.weight");
  // Heads cannot be read from shapes: 8 a level in SD 1.x, 64 channels a head in SD 2.x (its text
  // width is 1024).
  for (auto channels : u.block_out_channels)
    u.heads.push_back(u.cross_attention_dim == 1024 ? std::max<std::int64_t>(channels / 64, 1) : 8);
  const auto usable = [](std::int64_t size) { return size > 0 && size <= kMaxChannels; };
  if (!usable(u.in_channels) || !usable(u.out_channels) || !usable(u.cross_attention_dim))
    fail<LoadError>("{}: its UNet has impossible sizes", tensors.origin());
  for (std::size_t i = 0; i < levels; ++i)
    if (!usable(u.block_out_channels[i]) || u.block_out_channels[i] % u.norm_num_groups ||
        u.block_out_channels[i] % u.heads[i])
      fail<LoadError>(
          "{}: is a UNet of unusual sizes ({} channels) without a config; give a folder with its "
          "config.json by --config",
          tensors.origin(), u.block_out_channels[i]);
  return u;
}

}  // namespace mezzo
