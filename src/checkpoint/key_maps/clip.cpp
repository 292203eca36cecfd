// CLIP text encoders: transformers' names (the canonical ones) and OpenCLIP's
// (open_clip/transformer.py).
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "checkpoint/key_maps/key_maps.h"

namespace mezzo {
namespace {

constexpr std::array kLayer = {
    Rename{"ln_1.", "layer_norm1."},
    Rename{"ln_2.", "layer_norm2."},
    Rename{"mlp.c_fc.", "mlp.fc1."},
    Rename{"mlp.c_proj.", "mlp.fc2."},
    Rename{"attn.out_proj.", "self_attn.out_proj."},
    Rename{"attn.in_proj_weight", "self_attn.q_proj.weight", Transform::kFirst},
    Rename{"attn.in_proj_weight", "self_attn.k_proj.weight", Transform::kSecond},
    Rename{"attn.in_proj_weight", "self_attn.v_proj.weight", Transform::kThird},
    Rename{"attn.in_proj_bias", "self_attn.q_proj.bias", Transform::kFirst},
    Rename{"attn.in_proj_bias", "self_attn.k_proj.bias", Transform::kSecond},
    Rename{"attn.in_proj_bias", "self_attn.v_proj.bias", Transform::kThird},
};

constexpr std::array kProjection = {Rename{"", "", Transform::kTranspose}};

int layer_count(const Names& names) { return count_numbered(names, "transformer.resblocks."); }

KeyMap open_clip_layers(int layers) {
  KeyMap map;
  map.add("token_embedding.", "text_model.embeddings.token_embedding.");
  map.add("positional_embedding", "text_model.embeddings.position_embedding.weight");
  map.add("ln_final.", "text_model.final_layer_norm.");
  for (int i = 0; i < layers; ++i)
    map.add(fmt::format("transformer.resblocks.{}.", i),
            fmt::format("text_model.encoder.layers.{}.", i), kLayer);
  return map;
}

}  // namespace

KeyMap clip_text_map(const Names&) {
  KeyMap map;
  map.add("text_model.", "text_model.");
  map.add("text_projection.", "text_projection.");
  for (const std::string part : {"embeddings.", "encoder.", "final_layer_norm."})
    map.add(part, "text_model." + part);
  return map;
}

KeyMap open_clip_map(const Names& names) {
  KeyMap map = open_clip_layers(layer_count(names));
  map.add("text_projection", "text_projection.weight", kProjection);
  return map;
}

KeyMap open_clip_sd2_map(const Names& names) {
  return open_clip_layers(std::max(layer_count(names) - 1, 0));
}

}  // namespace mezzo
