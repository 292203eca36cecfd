// UNet of the CompVis code (ldm/modules/diffusionmodules/openaimodel.py) -> diffusers
// UNet2DConditionModel.
#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "checkpoint/key_maps/key_maps.h"

namespace mezzo {
namespace {

constexpr std::array kResnet = {
    Rename{"in_layers.0.", "norm1."},          Rename{"in_layers.2.", "conv1."},
    Rename{"out_layers.0.", "norm2."},         Rename{"out_layers.3.", "conv2."},
    Rename{"emb_layers.1.", "time_emb_proj."}, Rename{"skip_connection.", "conv_shortcut."},
};

constexpr std::array kOutside = {
    Rename{"time_embed.0.", "time_embedding.linear_1."},
    Rename{"time_embed.2.", "time_embedding.linear_2."},
    Rename{"label_emb.0.0.", "add_embedding.linear_1."},
    Rename{"label_emb.0.2.", "add_embedding.linear_2."},
    Rename{"input_blocks.0.0.", "conv_in."},
    Rename{"out.0.", "conv_norm_out."},
    Rename{"out.2.", "conv_out."},
};

// What may stand inside of a transformer; only needed where names have to be guessed.
constexpr std::array<std::string_view, 3> kTransformer = {"norm.", "proj_in.", "proj_out."};
constexpr std::array<std::string_view, 13> kTransformerBlock = {
    "attn1.to_q.", "attn1.to_k.", "attn1.to_v.",     "attn1.to_out.0.", "attn2.to_q.",
    "attn2.to_k.", "attn2.to_v.", "attn2.to_out.0.", "ff.net.0.proj.",  "ff.net.2.",
    "norm1.",      "norm2.",      "norm3."};
constexpr int kMaxBlocks = 40, kMaxDepth = 10;

// Where block n of a path lies: the levels are divided by the blocks that change the resolution.
struct Place {
  int level, index;
};

Place place(int n, int first, const std::set<int>& last_of_level) {
  int level = 0;
  for (const int last : last_of_level) {
    if (last >= n) break;
    ++level;
    first = last + 1;
  }
  return {level, n - first};
}

}  // namespace

KeyMap ldm_unet_map(const Names& names) {
  std::set<int> inputs, outputs, downsamplers, upsampled;  // numbers of blocks
  for (std::string_view s : names) {
    const bool in = s.starts_with("input_blocks."), out = s.starts_with("output_blocks.");
    if (!in && !out) continue;
    s.remove_prefix(s.find('.') + 1);
    const int n = take_number(s);
    if (n < 0) continue;
    (in ? inputs : outputs).insert(n);
    if (in && s.starts_with("0.op.")) downsamplers.insert(n);
    if (out && take_number(s) > 0 && s.starts_with("conv.")) upsampled.insert(n);
  }

  KeyMap map;
  for (const auto& row : kOutside) map.add(std::string(row.from), std::string(row.to));
  for (const int n : inputs) {
    if (n == 0) continue;
    const auto [level, index] = place(n, 1, downsamplers);
    const std::string from = fmt::format("input_blocks.{}.", n),
                      to = fmt::format("down_blocks.{}.", level);
    map.add(from + "0.", fmt::format("{}resnets.{}.", to, index), kResnet);
    map.add(from + "1.", fmt::format("{}attentions.{}.", to, index));
    map.add(from + "0.op.", to + "downsamplers.0.conv.");
  }
  map.add("middle_block.0.", "mid_block.resnets.0.", kResnet);
  map.add("middle_block.1.", "mid_block.attentions.0.");
  map.add("middle_block.2.", "mid_block.resnets.1.", kResnet);
  for (const int n : outputs) {
    const auto [level, index] = place(n, 0, upsampled);
    const std::string from = fmt::format("output_blocks.{}.", n),
                      to = fmt::format("up_blocks.{}.", level);
    map.add(from + "0.", fmt::format("{}resnets.{}.", to, index), kResnet);
    map.add(from + "1.", fmt::format("{}attentions.{}.", to, index));
    map.add(from + "1.conv.", to + "upsamplers.0.conv.");
    map.add(from + "2.conv.", to + "upsamplers.0.conv.");
  }
  return map;
}

KeyMap diffusers_unet_map(const Names&) {
  KeyMap map;
  map.add("", "");
  return map;
}

std::vector<std::string> possible_ldm_unet_names() {
  std::vector<std::string> names;
  const auto both = [&](const std::string& stem) {
    names.push_back(stem + "weight");
    names.push_back(stem + "bias");
  };
  const auto resnet = [&](const std::string& at) {
    for (const auto& row : kResnet) both(at + std::string(row.from));
  };
  const auto transformer = [&](const std::string& at) {
    for (const auto part : kTransformer) both(at + std::string(part));
    for (int d = 0; d < kMaxDepth; ++d)
      for (const auto part : kTransformerBlock)
        both(fmt::format("{}transformer_blocks.{}.{}", at, d, part));
  };
  for (const auto& row : kOutside) both(std::string(row.from));
  for (int n = 0; n < kMaxBlocks; ++n) {
    if (n > 0) {
      const std::string in = fmt::format("input_blocks.{}.", n);
      resnet(in + "0.");
      transformer(in + "1.");
      both(in + "0.op.");
    }
    const std::string out = fmt::format("output_blocks.{}.", n);
    resnet(out + "0.");
    transformer(out + "1.");
    both(out + "1.conv.");
    both(out + "2.conv.");
  }
  resnet("middle_block.0.");
  transformer("middle_block.1.");
  resnet("middle_block.2.");
  return names;
}

}  // namespace mezzo
