// T5 encoders: transformers' names (the canonical ones) and llama.cpp's of GGUF files.
#include <array>

#include <fmt/format.h>

#include "checkpoint/key_maps/key_maps.h"

namespace mezzo {
namespace {

constexpr std::array kBlock = {
    Rename{"attn_q.", "layer.0.SelfAttention.q."},
    Rename{"attn_k.", "layer.0.SelfAttention.k."},
    Rename{"attn_v.", "layer.0.SelfAttention.v."},
    Rename{"attn_o.", "layer.0.SelfAttention.o."},
    Rename{"attn_rel_b.", "layer.0.SelfAttention.relative_attention_bias."},
    Rename{"attn_norm.", "layer.0.layer_norm."},
    Rename{"ffn_gate.", "layer.1.DenseReluDense.wi_0."},
    Rename{"ffn_up.", "layer.1.DenseReluDense.wi_1."},
    Rename{"ffn_down.", "layer.1.DenseReluDense.wo."},
    Rename{"ffn_norm.", "layer.1.layer_norm."},
};

}  // namespace

KeyMap t5_map(const Names&) {
  KeyMap map;
  map.add("encoder.", "encoder.");
  map.add("shared.", "shared.");
  return map;
}

KeyMap t5_gguf_map(const Names& names) {
  const int blocks = count_numbered(names, "enc.blk.");
  KeyMap map;
  map.add("token_embd.", "shared.");
  map.add("enc.output_norm.", "encoder.final_layer_norm.");
  for (int i = 0; i < blocks; ++i)
    map.add(fmt::format("enc.blk.{}.", i), fmt::format("encoder.block.{}.", i), kBlock);
  return map;
}

}  // namespace mezzo
