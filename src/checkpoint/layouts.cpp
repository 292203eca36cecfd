#include "checkpoint/layouts.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include "checkpoint/key_mapped_source.h"
#include "checkpoint/key_maps/key_maps.h"

namespace mezzo {
namespace {

using namespace std::string_view_literals;

// A network in a file: tensors below `prefix`, recognised by a name below it that begins with
// `marker`.
struct Layout {
  std::string_view component, prefix, marker, naming;
  KeyMap (*map)(const Names&);
};

// Weights of the upward path: ControlNets have none, and LoRAs name them differently.
constexpr auto kLdmUNetMark = "output_blocks.0.0.in_layers.0.weight"sv;
constexpr auto kUNetMark = "up_blocks.0.resnets.0.norm1.weight"sv;
constexpr auto kSd3Mark = "joint_blocks.0.x_block."sv;
constexpr auto kTransformerMark = "pos_embed.pos_embed"sv;

// For each component the first row that fits counts.
constexpr std::array kLayouts = {
    Layout{"unet", "model.diffusion_model.", kLdmUNetMark, "LDM", ldm_unet_map},
    Layout{"unet", "model.diffusion_model.", kUNetMark, "diffusers", diffusers_unet_map},
    Layout{"unet", "unet.", kUNetMark, "diffusers", diffusers_unet_map},
    Layout{"unet", "", kLdmUNetMark, "LDM", ldm_unet_map},
    Layout{"unet", "", kUNetMark, "diffusers", diffusers_unet_map},
    Layout{"transformer", "model.diffusion_model.", kSd3Mark, "SD3", sd3_map},
    Layout{"transformer", "transformer.", kTransformerMark, "diffusers", diffusers_transformer_map},
    Layout{"transformer", "", kSd3Mark, "SD3", sd3_map},
    Layout{"transformer", "", kTransformerMark, "diffusers", diffusers_transformer_map},
    Layout{"vae", "first_stage_model.", "decoder.up.", "LDM", ldm_vae_map},
    Layout{"vae", "first_stage_model.", "encoder.down.", "LDM", ldm_vae_map},
    Layout{"vae", "first_stage_model.", "decoder.up_blocks.", "diffusers", diffusers_vae_map},
    Layout{"vae", "vae.", "decoder.up_blocks.", "diffusers", diffusers_vae_map},
    Layout{"vae", "vae.", "decoder.up.", "LDM", ldm_vae_map},
    Layout{"vae", "", "decoder.up.", "LDM", ldm_vae_map},
    Layout{"vae", "", "encoder.down.", "LDM", ldm_vae_map},
    Layout{"vae", "", "decoder.up_blocks.", "diffusers", diffusers_vae_map},
    Layout{"vae", "", "encoder.down_blocks.", "diffusers", diffusers_vae_map},
    Layout{"text_encoder", "cond_stage_model.transformer.", "", "transformers", clip_text_map},
    Layout{"text_encoder", "cond_stage_model.model.", "transformer.resblocks.", "OpenCLIP",
           open_clip_sd2_map},
    Layout{"text_encoder", "conditioner.embedders.0.transformer.", "", "transformers",
           clip_text_map},
    Layout{"text_encoder_2", "conditioner.embedders.1.model.", "transformer.resblocks.", "OpenCLIP",
           open_clip_map},
    Layout{"text_encoder", "text_encoders.clip_l.transformer.", "", "transformers", clip_text_map},
    Layout{"text_encoder_2", "text_encoders.clip_g.transformer.", "", "transformers",
           clip_text_map},
    Layout{"text_encoder_3", "text_encoders.t5xxl.transformer.", "", "transformers", t5_map},
    Layout{"text_encoder", "text_encoder.", "", "transformers", clip_text_map},
    Layout{"text_encoder_2", "text_encoder_2.", "", "transformers", clip_text_map},
    Layout{"text_encoder_3", "text_encoder_3.", "", "transformers", t5_map},
    Layout{"text_encoder_3", "", "encoder.block.0.layer.", "transformers", t5_map},
    Layout{"text_encoder_3", "", "enc.blk.0.", "llama.cpp", t5_gguf_map},
    Layout{"text_encoder", "", "text_model.", "transformers", clip_text_map},
    Layout{"text_encoder", "", "embeddings.token_embedding.", "transformers", clip_text_map},
    Layout{"text_encoder", "", "transformer.resblocks.", "OpenCLIP", open_clip_map},
};

// Tensors that no network reads: schedules and counters of the training code, parts of CLIP for
// pictures.
constexpr std::array<std::string_view, 33> kJunkPrefixes = {
    "betas",
    "alphas_cumprod",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
    "lvlb_weights",
    "logvar",
    "scale_factor",
    "model_ema.",
    "loss.",
    "first_stage_model.loss.",
    "first_stage_model.model_ema.",
    "cond_stage_model.logit_scale",
    "cond_stage_model.model.",
    "cond_stage_model.transformer.logit_scale",
    "ddim_",
    "vision_model.",
    "visual",
    "logit_scale",
    "denoiser.sigmas",
    "v_pred",
    "ztsnr",
    "conditioner.embedders.1.model.logit_scale",
    "text_encoders.clip_l.logit_scale",
    "text_encoders.clip_g.logit_scale",
    "text_encoders.t5xxl.logit_scale",
    "spiece_model"};
constexpr std::array<std::string_view, 3> kJunkSuffixes = {"position_ids", "attn_mask",
                                                           "num_batches_tracked"};

bool is_junk(std::string_view name) {
  return std::ranges::any_of(kJunkPrefixes, [&](auto p) { return name.starts_with(p); }) ||
         std::ranges::any_of(kJunkSuffixes, [&](auto s) { return name.ends_with(s); });
}

// Marks of files that are no model by themselves. `how` says where in a tensor's name the mark
// stands.
enum class How { kBegins, kContains };
struct Mark {
  How how;
  std::string_view text;
  ForeignKind kind;
};

constexpr ForeignKind kLora = {
    "LoRA",
    "it changes a model, which this build cannot do; give a model into which it is merged already"};
constexpr ForeignKind kInversion = {
    "textual inversion embedding",
    "it teaches a model one word, which this build cannot do; give a model with -m"};
constexpr ForeignKind kControlNet = {
    "ControlNet", "it steers a model and needs one beside it; this build cannot use it"};
constexpr ForeignKind kFlux = {"FLUX model", "this build runs Stable Diffusion 1, 2 and 3 models"};
constexpr ForeignKind kUpscaler = {"ESRGAN upscaler", "it enlarges pictures; give a model with -m"};
constexpr ForeignKind kAdapter = {
    "IP-Adapter", "it steers a model and needs one beside it; this build cannot use it"};

constexpr std::array kMarks = {
    Mark{How::kContains, ".lora_up.", kLora},
    Mark{How::kContains, ".lora_down.", kLora},
    Mark{How::kContains, ".lora_A.", kLora},
    Mark{How::kContains, ".lora_B.", kLora},
    Mark{How::kContains, "_lora.up.", kLora},
    Mark{How::kContains, "_lora.down.", kLora},
    Mark{How::kContains, ".lora.up.", kLora},
    Mark{How::kContains, ".lora.down.", kLora},
    Mark{How::kContains, ".hada_w1_a", kLora},
    Mark{How::kContains, ".lokr_w1", kLora},
    Mark{How::kBegins, "lora_unet_", kLora},
    Mark{How::kBegins, "lora_te", kLora},
    Mark{How::kBegins, "unet:", kLora},
    Mark{How::kBegins, "text_encoder:", kLora},
    Mark{How::kBegins, "string_to_param.", kInversion},
    Mark{How::kBegins, "emb_params", kInversion},
    Mark{How::kBegins, "control_model.", kControlNet},
    Mark{How::kBegins, "controlnet_", kControlNet},
    Mark{How::kContains, "double_blocks.", kFlux},
    Mark{How::kContains, ".rdb1.", kUpscaler},
    Mark{How::kContains, ".RDB1.", kUpscaler},
    Mark{How::kBegins, "ip_adapter", kAdapter},
};

// One or two vectors of a text encoder's width and nothing else.
bool is_bare_embedding(const TensorSource& s) {
  const auto& all = s.tensors();
  return !all.empty() && all.size() <= 2 && std::ranges::all_of(all, [](const TensorInfo& t) {
    const int r = t.shape.rank();
    return r >= 1 && r <= 2 && t.shape[-1] >= 512 && t.shape[-1] <= 4096 &&
           (r == 1 || t.shape[0] <= 128);
  });
}

// The averaged weights as if they were the ordinary ones:
// "model_ema.diffusion_modelinput_blocks00weight" gets its dots back.
std::shared_ptr<const TensorSource> ema_as_model(
    const std::shared_ptr<const TensorSource>& source) {
  std::unordered_map<std::string, std::string> with_dots;
  for (auto& name : possible_ldm_unet_names()) {
    std::string plain = name;
    std::erase(plain, '.');
    with_dots["model_ema.diffusion_model" + plain] = "model.diffusion_model." + name;
  }
  std::vector<MappedTensor> tensors;
  for (std::size_t i = 0; i < source->tensors().size(); ++i) {
    const std::string& name = source->tensors()[i].name;
    const auto it = with_dots.find(name);
    tensors.push_back({it == with_dots.end() ? name : it->second, i, Transform::kNone});
  }
  return std::make_shared<const KeyMappedSource>(source, std::move(tensors));
}

bool is_denoiser(std::string_view component) {
  return component == "unet" || component == "transformer";
}

bool any_begins(const TensorSource& s, std::string_view prefix) {
  const auto& all = s.tensors();
  const auto it = std::ranges::lower_bound(
      all, prefix, {}, [](const TensorInfo& t) -> std::string_view { return t.name; });
  return it != all.end() && it->name.starts_with(prefix);
}

// Maps everything below the prefix. Marks in `taken` what was used.
std::shared_ptr<const TensorSource> apply(const Layout& layout,
                                          const std::shared_ptr<const TensorSource>& source,
                                          std::vector<bool>& taken) {
  const auto& all = source->tensors();
  Names names;
  for (const auto& t : all)
    if (t.name.starts_with(layout.prefix))
      names.push_back(std::string_view(t.name).substr(layout.prefix.size()));
  const KeyMap map = layout.map(names);
  std::vector<MappedTensor> tensors;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (taken[i] || !all[i].name.starts_with(layout.prefix) ||
        is_junk(all[i].name.substr(layout.prefix.size())))
      continue;
    for (auto& m : map.map(std::string_view(all[i].name).substr(layout.prefix.size()))) {
      tensors.push_back({std::move(m.name), i, m.transform});
      taken[i] = true;
    }
  }
  return std::make_shared<const KeyMappedSource>(source, std::move(tensors));
}

}  // namespace

FoundNetworks find_networks(const std::shared_ptr<const TensorSource>& file) {
  const bool only_ema = any_begins(*file, "model_ema.diffusion_model") &&
                        !any_begins(*file, "model.diffusion_model.");
  const auto source = only_ema ? ema_as_model(file) : file;
  FoundNetworks found;
  std::vector<bool> taken(source->tensors().size());
  bool prefixed = false;  // a file with prefixes has no network without one
  for (const auto& layout : kLayouts) {
    if (found.components.contains(std::string(layout.component)) ||
        (layout.prefix.empty() && prefixed))
      continue;
    if (!any_begins(*source, std::string(layout.prefix) + std::string(layout.marker))) continue;
    auto network = apply(layout, source, taken);
    if (network->tensors().empty()) continue;
    if (found.components.empty() || is_denoiser(layout.component)) found.naming = layout.naming;
    prefixed |= !layout.prefix.empty();
    found.components.emplace(layout.component, std::move(network));
  }
  for (std::size_t i = 0; i < taken.size(); ++i)
    if (!taken[i] && !is_junk(source->tensors()[i].name))
      found.unknown.push_back(source->tensors()[i].name);
  return found;
}

std::shared_ptr<const TensorSource> canonical_component(
    const std::string& component, const std::shared_ptr<const TensorSource>& source) {
  // The second text encoder is a CLIP like the first.
  const std::string_view kind =
      component == "text_encoder_2" ? "text_encoder" : std::string_view(component);
  for (const auto& layout : kLayouts) {
    if (layout.component != kind || !layout.prefix.empty() || !any_begins(*source, layout.marker))
      continue;
    std::vector<bool> taken(source->tensors().size());
    return apply(layout, source, taken);
  }
  return source;
}

const ForeignKind* foreign_kind(const TensorSource& source) {
  for (const auto& mark : kMarks)
    for (const auto& t : source.tensors())
      if (mark.how == How::kBegins ? t.name.starts_with(mark.text)
                                   : t.name.find(mark.text) != std::string::npos)
        return &mark.kind;
  return is_bare_embedding(source) ? &kInversion : nullptr;
}

}  // namespace mezzo
