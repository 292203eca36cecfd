// VAE of the CompVis code (ldm/modules/diffusionmodules/model.py) and older diffusers -> diffusers
// AutoencoderKL.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "checkpoint/key_maps/key_maps.h"

namespace mezzo {
namespace {

constexpr std::array kVaeResnet = {
    Rename{"nin_shortcut.", "conv_shortcut."},
    Rename{"norm1.", "norm1."},
    Rename{"norm2.", "norm2."},
    Rename{"conv1.", "conv1."},
    Rename{"conv2.", "conv2."},
};

constexpr std::array kAttention = {
    Rename{"norm.", "group_norm."},
    Rename{"q.", "to_q.", Transform::kSqueeze1x1},
    Rename{"k.", "to_k.", Transform::kSqueeze1x1},
    Rename{"v.", "to_v.", Transform::kSqueeze1x1},
    Rename{"proj_out.", "to_out.0.", Transform::kSqueeze1x1},
};

// diffusers before 0.17, and today's names; some converted files keep the 1x1 convolutions.
constexpr std::array kDiffusersAttention = {
    Rename{"query.", "to_q.", Transform::kSqueeze1x1},
    Rename{"key.", "to_k.", Transform::kSqueeze1x1},
    Rename{"value.", "to_v.", Transform::kSqueeze1x1},
    Rename{"proj_attn.", "to_out.0.", Transform::kSqueeze1x1},
    Rename{"to_q.", "to_q.", Transform::kSqueeze1x1},
    Rename{"to_k.", "to_k.", Transform::kSqueeze1x1},
    Rename{"to_v.", "to_v.", Transform::kSqueeze1x1},
    Rename{"to_out.", "to_out.", Transform::kSqueeze1x1},
    Rename{"group_norm.", "group_norm."},
};

constexpr std::array<const char*, 2> kHalves = {"encoder.", "decoder."};

}  // namespace

KeyMap ldm_vae_map(const Names& names) {
  int levels = 0;
  for (std::string_view s : names)
    for (const std::string_view path : {"encoder.down.", "decoder.up."})
      if (s.starts_with(path)) {
        auto rest = s.substr(path.size());
        levels = std::max(levels, take_number(rest) + 1);
      }
  KeyMap map;
  for (const auto* keep : {"quant_conv.", "post_quant_conv."}) map.add(keep, keep);
  for (const std::string half : kHalves) {
    map.add(half + "conv_in.", half + "conv_in.");
    map.add(half + "conv_out.", half + "conv_out.");
    map.add(half + "norm_out.", half + "conv_norm_out.");
    map.add(half + "mid.block_1.", half + "mid_block.resnets.0.", kVaeResnet);
    map.add(half + "mid.block_2.", half + "mid_block.resnets.1.", kVaeResnet);
    map.add(half + "mid.attn_1.", half + "mid_block.attentions.0.", kAttention);
  }
  constexpr int kMaxResnets = 8;  // in a level
  for (int i = 0; i < std::min(levels, 16); ++i) {
    const std::string down = fmt::format("encoder.down.{}.", i),
                      to_down = fmt::format("encoder.down_blocks.{}.", i);
    // CompVis counts the decoder's levels from the picture, diffusers from the latent.
    const std::string up = fmt::format("decoder.up.{}.", i),
                      to_up = fmt::format("decoder.up_blocks.{}.", levels - 1 - i);
    for (int j = 0; j < kMaxResnets; ++j) {
      map.add(fmt::format("{}block.{}.", down, j), fmt::format("{}resnets.{}.", to_down, j),
              kVaeResnet);
      map.add(fmt::format("{}block.{}.", up, j), fmt::format("{}resnets.{}.", to_up, j),
              kVaeResnet);
    }
    map.add(down + "downsample.conv.", to_down + "downsamplers.0.conv.");
    map.add(up + "upsample.conv.", to_up + "upsamplers.0.conv.");
  }
  return map;
}

KeyMap diffusers_vae_map(const Names&) {
  KeyMap map;
  map.add("", "");
  for (const std::string half : kHalves)
    map.add(half + "mid_block.attentions.0.", half + "mid_block.attentions.0.",
            kDiffusersAttention);
  return map;
}

}  // namespace mezzo
