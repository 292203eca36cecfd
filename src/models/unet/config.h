// Shape of a UNet2DConditionModel (diffusers): everything the network is built from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "weights/source.h"

namespace mezzo {

struct UNetConfig {
  std::int64_t in_channels = 4, out_channels = 4;
  std::vector<std::int64_t> block_out_channels;    // of each level, from the full size down
  std::vector<bool> down_attention, up_attention;  // levels with cross-attention, down and up
  std::vector<std::int64_t>
      layers_per_block;  // residual blocks of each level, down (up has one more)
  std::vector<std::int64_t> transformer_layers;  // transformer blocks in an attention of each level
  std::vector<std::int64_t> heads;  // of each level (diffusers calls them attention_head_dim)
  std::int64_t cross_attention_dim = 768;
  int norm_num_groups = 32;
  float norm_eps = 1e-5f;
  bool mid_attention = true;
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
  std::int64_t sample_size = 64;  // side of the latents it was trained on

  std::int64_t time_embed_dim() const { return block_out_channels[0] * 4; }

  /// From a config.json. Throws LoadError on a variant that this network does not have, naming it.
  static UNetConfig parse(const nlohmann::json& json, const std::string& origin);
  /// From the names and shapes of an original checkpoint of the SD 1.x or 2.x family, which bring
  /// no config.
  static UNetConfig detect(const TensorSource& tensors);
};

}  // namespace mezzo
