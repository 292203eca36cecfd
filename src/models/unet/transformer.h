// Spatial transformer of the latent diffusion UNet (Rombach et al. 2022): pixels as tokens attend
// to each other and to the text.
#pragma once

#include <vector>

#include "nn/layers.h"

namespace mezzo {

/// LayerNorm-attention, LayerNorm-cross-attention, LayerNorm-feed-forward, each added to its input.
/// Keys and values of the text are never rounded to 8 bits: those of its first token are outliers
/// (Zhao et al. 2024, arXiv:2405.17873), and they are little work.
class BasicTransformerBlock {
 public:
  struct Config {
    std::int64_t width, context, heads;
  };
  BasicTransformerBlock(const Weights& w, const Config& c);
  /// x [B, L, width], text [nB, Lk, context] -> [nB, L, width]
  Tensor operator()(Tensor x, const TextContext& text) const;

 private:
  nn::LayerNorm norm1;
  nn::Attention attn1;
  nn::LayerNorm norm2;
  nn::Attention attn2;
  nn::LayerNorm norm3;
  nn::FeedForward ff;
};

/// GroupNorm, projection in, transformer blocks, projection out, plus the input.
class Transformer2D {
 public:
  struct Config {
    std::int64_t channels, context, heads, layers;
    int groups;
  };
  Transformer2D(const Weights& w, const Config& c);
  /// x [B, H, W, channels], text [nB, Lk, context] -> [nB, H, W, channels]
  Tensor operator()(const Tensor& x, const TextContext& text) const;

 private:
  nn::GroupNorm norm;
  nn::Linear proj_in;  // a 1x1 convolution over [B, H, W, C] is a linear layer over [B, H*W, C]
  std::vector<BasicTransformerBlock> transformer_blocks;
  nn::Linear proj_out;
};

}  // namespace mezzo
