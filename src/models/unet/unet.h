// The denoising network of Stable Diffusion 1.x and 2.x: UNet2DConditionModel (Rombach et al. 2022;
// diffusers' names).
#pragma once

#include <vector>

#include "models/trace.h"
#include "models/unet/config.h"
#include "models/unet/resnet_block.h"
#include "models/unet/transformer.h"

namespace mezzo {

/// One level on the way down: residual blocks with optional attention, then half the size (but on
/// the last level).
class DownBlock {
 public:
  struct Config {
    std::int64_t in, out;
    std::size_t level;
    bool downsample;
  };
  DownBlock(const Weights& w, const UNetConfig& u, const Config& c);
  /// Appends every intermediate result to `skips`.
  Tensor operator()(Tensor x, const nn::StepEmbedding& temb, const TextContext& text,
                    std::vector<Tensor>& skips, const Trace& trace) const;

 private:
  std::vector<ResnetBlock> resnets;
  std::vector<Transformer2D> attentions;
  std::optional<nn::Conv2d> downsampler;
};

/// Residual block, attention, residual block at the smallest size.
class MidBlock {
 public:
  MidBlock(const Weights& w, const UNetConfig& u);
  Tensor operator()(Tensor x, const nn::StepEmbedding& temb, const TextContext& text,
                    const Trace& trace) const;

 private:
  ResnetBlock resnet_0, resnet_1;
  std::optional<Transformer2D> attention;
};

/// One level on the way up: residual blocks over [x | skip], then the size of the next skip (but on
/// the last level).
class UpBlock {
 public:
  struct Config {
    std::int64_t in, out;
    std::vector<std::int64_t> skips;
    std::size_t level;
    bool attention, upsample;
  };
  UpBlock(const Weights& w, const UNetConfig& u, const Config& c);
  std::size_t layers() const { return resnets.size(); }
  /// Layer j, of [x | skip].
  Tensor layer(std::size_t j, Tensor joined, const nn::StepEmbedding& temb, const TextContext& text,
               const Trace& trace) const;
  Tensor operator()(Tensor x, const nn::StepEmbedding& temb, const TextContext& text,
                    std::vector<Tensor>& skips, const Trace& trace) const;

 private:
  std::vector<ResnetBlock> resnets;
  std::vector<Transformer2D> attentions;
  std::optional<nn::Conv2d> upsampler;
};

class UNet {
 public:
  UNet(const Weights& w, const UNetConfig& c);

  /// sample [B, H, W, in_channels], one timestep for each picture, text [nB, L,
  /// cross_attention_dim] -> [nB, H, W, out_channels]: n texts for each picture, as guidance asks
  /// for. What comes before the first look at the text is the same for all n and computed once.
  /// Any H and W: upsampling goes to the size of the skip.
  Tensor operator()(const Tensor& sample, std::span<const double> timesteps,
                    const TextContext& text, const Trace& trace = {}) const;

 private:
  /// All but the first convolution, whose result arrives, and the last layer on the way up.
  Tensor deep(const Tensor& first, const nn::StepEmbedding& temb, const TextContext& text,
              const Trace& trace) const;

  UNetConfig config_;
  nn::Conv2d conv_in;
  nn::TimestepEmbedding time_embedding;
  std::vector<DownBlock> down_blocks;
  MidBlock mid_block;
  std::vector<UpBlock> up_blocks;
  nn::GroupNorm conv_norm_out;
  nn::Conv2d conv_out;
};

}  // namespace mezzo
