#include "models/mmdit/config.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "base/config.h"
#include "base/error.h"

namespace mezzo {
namespace {

constexpr std::int64_t kMaxChannels = 256, kMaxPatch = 16, kMaxLayers = 256, kMaxHeads = 1024;
constexpr std::int64_t kMaxHeadSize = 1024, kMaxWidth = 16384, kMaxTable = 2048;

/// What was read from shapes keeps the limits of what is read from a config.
void check_sizes(const MMDiTConfig& c, const std::string& origin) {
  struct Limit {
    const char* what;
    std::int64_t size, most;
  };
  for (const auto& [what, size, most] :
       {Limit{"input channels", c.in_channels, kMaxChannels},
        Limit{"output channels", c.out_channels, kMaxChannels},
        Limit{"pixels in a patch's side", c.patch_size, kMaxPatch},
        Limit{"layers", c.num_layers, kMaxLayers}, Limit{"heads", c.num_attention_heads, kMaxHeads},
        Limit{"channels in a head", c.attention_head_dim, kMaxHeadSize},
        Limit{"channels", c.width(), kMaxWidth},
        Limit{"numbers in a text token", c.joint_attention_dim, kMaxWidth},
        Limit{"numbers in a pooled text", c.pooled_projection_dim, kMaxWidth},
        Limit{"patches in a side of the position table", c.pos_embed_max_size, kMaxTable},
        Limit{"latents in a side", c.sample_size, kMaxTable}})
    if (size < 1 || size > most)
      fail<LoadError>("{}: a transformer with {} {} cannot be; 1 to {} can", origin, size, what,
                      most);
}

}  // namespace

bool MMDiTConfig::any_dual_attention() const {
  return std::ranges::find(dual_attention, true) != dual_attention.end();
}

MMDiTConfig MMDiTConfig::parse(const nlohmann::json& json, const std::string& origin) {
  const ConfigReader r(json, origin);
  MMDiTConfig c;
  c.in_channels = r.integer("in_channels", 16, 1, kMaxChannels);
  c.out_channels = r.integer("out_channels", c.in_channels, 1, kMaxChannels);
  c.patch_size = r.integer("patch_size", 2, 1, kMaxPatch);
  c.num_layers = r.integer("num_layers", 18, 1, kMaxLayers);
  c.num_attention_heads = r.integer("num_attention_heads", 18, 1, kMaxHeads);
  c.attention_head_dim = r.integer("attention_head_dim", 64, 1, kMaxHeadSize);
  c.joint_attention_dim = r.integer("joint_attention_dim", 4096, 1, kMaxWidth);
  c.pooled_projection_dim = r.integer("pooled_projection_dim", 2048, 1, kMaxWidth);
  c.pos_embed_max_size = r.integer("pos_embed_max_size", 96, 1, kMaxTable);
  c.sample_size = r.integer("sample_size", 128, 1, kMaxTable);
  check_sizes(c, origin);
  if (r.integer("caption_projection_dim", 1152, 1, kMaxWidth) != c.width())
    fail<LoadError>(
        "{}: \"caption_projection_dim\" differs from the {} channels of its {} heads, which no "
        "Stable Diffusion 3 model has",
        origin, c.width(), c.num_attention_heads);
  const auto norm = r.text("qk_norm", "");
  if (!norm.empty() && norm != "rms_norm")
    fail<LoadError>("{}: \"qk_norm\" {} is not supported; rms_norm is", origin, norm);
  c.qk_norm = norm == "rms_norm";
  c.dual_attention.assign(static_cast<std::size_t>(c.num_layers), false);
  if (const auto layers = json.find("dual_attention_layers");
      layers != json.end() && !layers->is_null() && !(layers->is_array() && layers->empty()))
    for (const auto i : r.integers("dual_attention_layers", 1, {}, 0, c.num_layers - 1))
      c.dual_attention[static_cast<std::size_t>(i)] = true;
  return c;
}

MMDiTConfig MMDiTConfig::detect(const TensorSource& tensors) {
  const auto shape = [&](const std::string& name, int rank, int most = 0) -> Shape {
    const auto i = tensors.find(name);
    if (i < 0)
      fail<LoadError>(
          "{}: has no transformer tensor {}; the file is incomplete, or not a Stable Diffusion 3 "
          "model",
          tensors.origin(), name);
    const auto& s = tensors.tensors()[static_cast<std::size_t>(i)].shape;
    if (s.rank() < rank || s.rank() > std::max(rank, most))
      fail<LoadError>("{}: transformer tensor {} has shape {}", tensors.origin(), name,
                      to_string(s));
    return s;
  };
  MMDiTConfig c;
  const Shape patches = shape("pos_embed.proj.weight", 4);
  c.in_channels = patches[1];
  c.patch_size = patches[2];
  if (c.patch_size < 1 || c.patch_size > kMaxPatch)
    fail<LoadError>("{}: transformer tensor pos_embed.proj.weight has shape {}", tensors.origin(),
                    to_string(patches));
  c.out_channels = shape("proj_out.weight", 2)[0] / (c.patch_size * c.patch_size);
  c.joint_attention_dim = shape("context_embedder.weight", 2)[1];
  c.pooled_projection_dim = shape("time_text_embed.text_embedder.linear_1.weight", 2)[1];
  const Shape positions = shape("pos_embed.pos_embed", 2, 3);  // GGUF files forget a leading 1
  c.pos_embed_max_size =
      static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(positions[-2]))));
  c.qk_norm = tensors.has("transformer_blocks.0.attn.norm_q.weight");
  // Without norms heads cannot be read from shapes: every published model has heads of 64.
  c.attention_head_dim = c.qk_norm ? shape("transformer_blocks.0.attn.norm_q.weight", 1)[0] : 64;
  c.num_attention_heads = patches[0] / std::max<std::int64_t>(c.attention_head_dim, 1);
  const auto in_block = [](std::int64_t i, const char* what) {
    return fmt::format("transformer_blocks.{}.{}", i, what);
  };
  for (c.num_layers = 0;
       c.num_layers < kMaxLayers && tensors.has(in_block(c.num_layers, "attn.to_q.weight"));
       ++c.num_layers)
    c.dual_attention.push_back(tensors.has(in_block(c.num_layers, "attn2.to_q.weight")));
  check_sizes(c, tensors.origin());
  if (c.width() != patches[0])
    fail<LoadError>(
        "{}: is a transformer of {} channels without a config; give a folder with its config.json "
        "by --config",
        tensors.origin(), patches[0]);
  return c;
}

}  // namespace mezzo
