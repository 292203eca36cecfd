// AutoencoderTiny: the small distilled autoencoder of TAESD (Bohan 2023), in diffusers' names.
#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "nn/layers.h"

namespace mezzo {

struct AutoencoderTinyConfig {
  std::int64_t in_channels = 3, out_channels = 3, latent_channels = 4;
  std::vector<std::int64_t> encoder_block_out_channels, decoder_block_out_channels;
  std::vector<std::int64_t> num_encoder_blocks, num_decoder_blocks;

  /// Pixels along a side that a latent stands for.
  std::int64_t factor() const { return std::int64_t{1} << (decoder_block_out_channels.size() - 1); }
  static AutoencoderTinyConfig parse(const nlohmann::json& json, const std::string& origin);
};

/// Three convolutions with ReLU between, plus the input, then ReLU.
class AutoencoderTinyBlock {
 public:
  AutoencoderTinyBlock(const Weights& w, std::int64_t channels);
  Tensor operator()(const Tensor& x) const;

 private:
  nn::Conv2d conv_0, conv_2, conv_4;
};

/// A numbered list of layers, as the checkpoint has it: a convolution or a block for each entry.
class TinyStage {
 public:
  struct Layer {
    std::optional<nn::Conv2d> conv;
    std::optional<AutoencoderTinyBlock> block;
    bool relu = false, upsample = false;  // before / after the convolution
  };
  std::vector<Layer> layers;
  Tensor operator()(Tensor x) const;
};

class TinyEncoder {
 public:
  TinyEncoder(const Weights& w, const AutoencoderTinyConfig& c);
  Tensor operator()(
      const Tensor& image) const;  // [B, H, W, 3] in [-1, 1] -> latents [B, H/8, W/8, 4]

 private:
  TinyStage stage_;
};

class TinyDecoder {
 public:
  TinyDecoder(const Weights& w, const AutoencoderTinyConfig& c);
  Tensor operator()(
      const Tensor& latents) const;  // [B, H, W, 4] -> picture [B, 8H, 8W, 3] in about [-1, 1]

 private:
  TinyStage stage_;
};

}  // namespace mezzo
