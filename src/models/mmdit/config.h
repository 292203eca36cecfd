// Shape of an SD3Transformer2DModel (diffusers): everything the network is built from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "weights/source.h"

namespace mezzo {

struct MMDiTConfig {
  std::int64_t in_channels = 16, out_channels = 16;
  std::int64_t patch_size = 2;
  std::int64_t num_layers = 18, num_attention_heads = 18, attention_head_dim = 64;
  std::int64_t joint_attention_dim = 4096;    // of the text tokens
  std::int64_t pooled_projection_dim = 2048;  // of the text as a whole
  std::int64_t pos_embed_max_size = 96;       // patches a side of the position table
  std::int64_t sample_size = 128;             // side of the latents it was trained on
  std::vector<bool> dual_attention;           // of each layer: a second attention of the picture
  bool qk_norm = false;                       // RMS norm of queries and keys

  std::int64_t width() const { return num_attention_heads * attention_head_dim; }
  bool any_dual_attention() const;

  /// From a config.json. Throws LoadError on a variant that this network does not have, naming it.
  static MMDiTConfig parse(const nlohmann::json& json, const std::string& origin);
  /// From names and shapes: files of the Stable Diffusion 3 family bring no config.
  static MMDiTConfig detect(const TensorSource& tensors);
};

}  // namespace mezzo
