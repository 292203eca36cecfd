// AutoencoderKL: pictures to latents and back (Kingma & Welling 2014; Rombach et al. 2022;
// diffusers' names).
#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "models/trace.h"
#include "models/unet/resnet_block.h"

namespace mezzo {

struct AutoencoderKLConfig {
  std::int64_t in_channels = 3, out_channels = 3, latent_channels = 4;
  std::vector<std::int64_t> block_out_channels;  // of each level, from the picture's size down
  std::int64_t layers_per_block =
      2;  // residual blocks of a level of the encoder; the decoder has one more
  int norm_num_groups = 32;
  bool use_quant_conv = true, use_post_quant_conv = true, mid_block_add_attention = true;
  float scaling_factor = 0.18215f, shift_factor = 0;  // latent of the model = (z - shift) * scaling

  /// Pixels a latent pixel spans.
  std::int64_t factor() const { return std::int64_t{1} << (block_out_channels.size() - 1); }

  static AutoencoderKLConfig parse(const nlohmann::json& json, const std::string& origin);
  static AutoencoderKLConfig detect(const TensorSource& tensors);
};

/// Gaussian over latents: mean and log variance (clamped to [-30, 20]), each [B, H, W,
/// latent_channels].
struct LatentDistribution {
  Tensor mean, logvar;
};

/// One-head attention over all pixels of the smallest level.
class VaeAttention {
 public:
  struct Config {
    std::int64_t channels;
    int groups;
  };
  VaeAttention(const Weights& w, const Config& c);
  Tensor operator()(const Tensor& x) const;  // [B, H, W, channels]

 private:
  nn::GroupNorm group_norm;
  nn::Linear to_q, to_k, to_v, to_out;
  float scale_;
};

class VaeMidBlock {
 public:
  struct Config {
    std::int64_t channels;
    int groups;
    bool attention;
  };
  VaeMidBlock(const Weights& w, const Config& c);
  Tensor operator()(Tensor x, const Trace& trace) const;

 private:
  ResnetBlock resnet_0, resnet_1;
  std::optional<VaeAttention> attention;
};

/// One level of either half: residual blocks, then half or twice the size (but on the last level).
class VaeBlock {
 public:
  enum class Resize { kNone, kDown, kUp };
  struct Config {
    std::int64_t in, out, layers;
    int groups;
    Resize resize;
  };
  VaeBlock(const Weights& w, const Config& c);
  Tensor operator()(Tensor x) const;

 private:
  std::vector<ResnetBlock> resnets;
  std::optional<nn::Conv2d> downsampler, upsampler;
};

class VaeEncoder {
 public:
  VaeEncoder(const Weights& w, const AutoencoderKLConfig& c);
  /// Picture [B, H, W, 3] in [-1, 1], H and W multiples of factor() -> distribution of unscaled
  /// latents.
  LatentDistribution operator()(const Tensor& image, const Trace& trace = {}) const;

 private:
  nn::Conv2d conv_in;
  std::vector<VaeBlock> down_blocks;
  VaeMidBlock mid_block;
  nn::GroupNorm conv_norm_out;
  nn::Conv2d conv_out;
  std::optional<nn::Conv2d> quant_conv;
  std::int64_t latent_channels_;
};

class VaeDecoder {
 public:
  VaeDecoder(const Weights& w, const AutoencoderKLConfig& c);
  /// Unscaled latents [B, H, W, latent_channels] -> picture [B, factor*H, factor*W, 3], about [-1,
  /// 1], not clamped.
  Tensor operator()(const Tensor& latents, const Trace& trace = {}) const;

 private:
  std::optional<nn::Conv2d> post_quant_conv;
  nn::Conv2d conv_in;
  VaeMidBlock mid_block;
  std::vector<VaeBlock> up_blocks;
  nn::GroupNorm conv_norm_out;
  nn::Conv2d conv_out;
};

}  // namespace mezzo
