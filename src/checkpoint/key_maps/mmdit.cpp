// Transformer of Stable Diffusion 3 in the layout of its authors (sd3.5's mmditx.py; also ComfyUI's
// and GGUF files) -> diffusers SD3Transformer2DModel.
#include <array>

#include <fmt/format.h>

#include "checkpoint/key_maps/key_maps.h"

namespace mezzo {
namespace {

constexpr std::array kPicture = {
    Rename{"attn.qkv.", "attn.to_q.", Transform::kFirst},
    Rename{"attn.qkv.", "attn.to_k.", Transform::kSecond},
    Rename{"attn.qkv.", "attn.to_v.", Transform::kThird},
    Rename{"attn.proj.", "attn.to_out.0."},
    Rename{"attn.ln_q.", "attn.norm_q."},
    Rename{"attn.ln_k.", "attn.norm_k."},
    Rename{"attn2.qkv.", "attn2.to_q.", Transform::kFirst},
    Rename{"attn2.qkv.", "attn2.to_k.", Transform::kSecond},
    Rename{"attn2.qkv.", "attn2.to_v.", Transform::kThird},
    Rename{"attn2.proj.", "attn2.to_out.0."},
    Rename{"attn2.ln_q.", "attn2.norm_q."},
    Rename{"attn2.ln_k.", "attn2.norm_k."},
    Rename{"mlp.fc1.", "ff.net.0.proj."},
    Rename{"mlp.fc2.", "ff.net.2."},
    Rename{"adaLN_modulation.1.", "norm1.linear."},
};

constexpr std::array kContext = {
    Rename{"attn.qkv.", "attn.add_q_proj.", Transform::kFirst},
    Rename{"attn.qkv.", "attn.add_k_proj.", Transform::kSecond},
    Rename{"attn.qkv.", "attn.add_v_proj.", Transform::kThird},
    Rename{"attn.proj.", "attn.to_add_out."},
    Rename{"attn.ln_q.", "attn.norm_added_q."},
    Rename{"attn.ln_k.", "attn.norm_added_k."},
    Rename{"mlp.fc1.", "ff_context.net.0.proj."},
    Rename{"mlp.fc2.", "ff_context.net.2."},
    Rename{"adaLN_modulation.1.", "norm1_context.linear."},
};

// The last block's context ends after its attention: a norm with shift and scale, which diffusers
// stores the other way round.
constexpr std::array kLastContext = {
    kContext[0], kContext[1],
    kContext[2], kContext[4],
    kContext[5], Rename{"adaLN_modulation.1.", "norm1_context.linear.", Transform::kSwapHalves},
};

constexpr std::array kFinal = {
    Rename{"linear.", "proj_out."},
    Rename{"adaLN_modulation.1.", "norm_out.linear.", Transform::kSwapHalves},
};

constexpr std::array kOutside = {
    Rename{"pos_embed", "pos_embed.pos_embed"},
    Rename{"x_embedder.proj.", "pos_embed.proj."},
    Rename{"context_embedder.", "context_embedder."},
    Rename{"t_embedder.mlp.0.", "time_text_embed.timestep_embedder.linear_1."},
    Rename{"t_embedder.mlp.2.", "time_text_embed.timestep_embedder.linear_2."},
    Rename{"y_embedder.mlp.0.", "time_text_embed.text_embedder.linear_1."},
    Rename{"y_embedder.mlp.2.", "time_text_embed.text_embedder.linear_2."},
};

}  // namespace

KeyMap sd3_map(const Names& names) {
  KeyMap map;
  for (const auto& row : kOutside) map.add(std::string(row.from), std::string(row.to));
  map.add("final_layer.", "", kFinal);
  const int blocks = count_numbered(names, "joint_blocks.");
  for (int i = 0; i < blocks; ++i) {
    const std::string from = fmt::format("joint_blocks.{}.", i),
                      to = fmt::format("transformer_blocks.{}.", i);
    map.add(from + "x_block.", to, kPicture);
    if (i + 1 < blocks)
      map.add(from + "context_block.", to, kContext);
    else
      map.add(from + "context_block.", to, kLastContext);
  }
  return map;
}

KeyMap diffusers_transformer_map(const Names&) {
  KeyMap map;
  map.add("", "");
  return map;
}

}  // namespace mezzo
