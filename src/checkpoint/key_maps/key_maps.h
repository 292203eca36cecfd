// The layouts that networks are found in. Each maps names below the network's prefix in the file to
// canonical names; the numbers of levels and blocks are read from the names themselves.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/key_maps/key_map.h"

namespace mezzo {

using Names = std::vector<std::string_view>;

KeyMap ldm_unet_map(const Names& names);  // CompVis: input_blocks, middle_block, output_blocks
KeyMap diffusers_unet_map(const Names& names);
KeyMap ldm_vae_map(const Names& names);  // CompVis: encoder.down, decoder.up (reversed), mid.attn_1
KeyMap diffusers_vae_map(const Names& names);  // also the attention names of diffusers before 0.17
KeyMap clip_text_map(const Names& names);      // transformers, with or without `text_model.`
KeyMap open_clip_map(const Names& names);      // OpenCLIP: transformer.resblocks, fused in_proj
KeyMap open_clip_sd2_map(
    const Names& names);             // the same without the last layer, which SD 2 does not use
KeyMap sd3_map(const Names& names);  // Stable Diffusion 3: joint_blocks, fused qkv
KeyMap diffusers_transformer_map(const Names& names);
KeyMap t5_map(const Names& names);       // transformers, the encoder alone
KeyMap t5_gguf_map(const Names& names);  // llama.cpp: enc.blk

/// Every name that a CompVis UNet with any number of blocks may use (a superset): for files that
/// hold only the averaged weights `model_ema.`, whose names have lost their dots.
std::vector<std::string> possible_ldm_unet_names();

}  // namespace mezzo
