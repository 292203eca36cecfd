#include <array>
#include <vector>

#include <fmt/ranges.h>

#include "base/error.h"
#include "checkpoint/bundle.h"
#include "checkpoint/bundle_gguf.h"
#include "checkpoint/diffusers_folder.h"
#include "checkpoint/layouts.h"
#include "checkpoint/open_weights.h"
#include "checkpoint/require.h"

namespace mezzo {
namespace {

// A network beside the denoiser, and the option that takes it. `denoiser`: the kind of model that
// it belongs to, or "" for all.
struct Part {
  const char *denoiser, *component, *name, *option;
};
constexpr std::array kParts = {
    Part{"unet", "text_encoder", "text encoder", "--clip"},
    Part{"transformer", "text_encoder", "CLIP-L text encoder", "--clip-l"},
    Part{"transformer", "text_encoder_2", "CLIP-G text encoder", "--clip-g"},
    Part{"transformer", "text_encoder_3", "T5 text encoder", "--t5"},
    Part{"", "vae", "VAE", "--vae"},
};

// What replaces a network, and where the options say so.
struct Replacement {
  const char *denoiser, *component, *option;
  fs::path OpenOptions::*path;
};
constexpr std::array kReplacements = {
    Replacement{nullptr, "vae", "--vae", &OpenOptions::vae},
    Replacement{"unet", "text_encoder", "--clip", &OpenOptions::clip},
    Replacement{"transformer", "text_encoder", "--clip-l", &OpenOptions::clip_l},
    Replacement{"transformer", "text_encoder_2", "--clip-g", &OpenOptions::clip_g},
    Replacement{"transformer", "text_encoder_3", "--t5", &OpenOptions::t5},
};

// Refuses what was recognised but is no model: VAEs, LoRAs, text ...
void require_model(const FoundNetworks& found, const TensorSource& source,
                   const std::string& path) {
  // Networks first: a whole model may well carry a tensor that looks like something else.
  if (found.components.contains("unet") || found.components.contains("transformer")) return;
  if (const auto* kind = foreign_kind(source))
    fail<LoadError>("{}: is a file of another kind, {}, and not a model; {}", path, kind->kind,
                    kind->advice);
  for (const auto& part : kParts)
    if (found.components.size() == 1 && found.components.contains(part.component))
      fail<LoadError>(
          "{}: is a {} alone, and not a whole model; give a model with -m and this file with {}",
          path, part.name, part.option);
  if (found.components.empty())
    fail<LoadError>(
        "{}: its {} tensors (such as {}) belong to no network that is known here; give a Stable "
        "Diffusion model",
        path, source.tensors().size(),
        source.tensors().empty() ? "none" : source.tensors()[0].name);
}

ModelBundle open_single_file(const fs::path& path) {
  const FileFormat format = detect_format(path);
  const auto source = open_weights(path);
  if (const auto gguf = std::dynamic_pointer_cast<const Gguf>(source); gguf && is_bundle(*gguf))
    return read_bundle(gguf, path);
  FoundNetworks found = find_networks(source);
  require_model(found, *source, path.string());
  ModelBundle bundle;
  bundle.path = path;
  bundle.form = fmt::format("single file ({} names, {})", found.naming, name(format));
  for (auto& [component, weights] : found.components)
    bundle.components[component] = {std::move(weights), nullptr};
  bundle.unknown = std::move(found.unknown);
  return bundle;
}

ModelBundle open_folder(const fs::path& path) {
  if (is_diffusers_folder(path)) return open_diffusers_folder(path);
  std::error_code ignored;
  const bool part = fs::exists(path / "config.json", ignored);
  fail<LoadError>("{}: is a folder without model_index.json, so no model; {}", path.string(),
                  part ? "it may be one network of a model: give the folder above it"
                       : "give a diffusers folder or a model file");
}

// The network named `component` from a file or folder given for it.
Component open_replacement(const fs::path& path, const Replacement& r) {
  const std::string component = r.component;
  if (is_existing_folder(path)) return open_component_folder(path, component);
  const auto source = open_weights(path);
  if (const auto gguf = std::dynamic_pointer_cast<const Gguf>(source); gguf && is_bundle(*gguf)) {
    auto bundle = read_bundle(gguf, path);
    if (bundle.components.contains(component)) return bundle.components[component];
  }
  auto found = find_networks(source);
  if (const auto it = found.components.find(component); it != found.components.end())
    return {it->second, nullptr};
  // By itself a second text encoder looks like a first one.
  if (const auto it = found.components.find("text_encoder");
      component == "text_encoder_2" && it != found.components.end())
    return {it->second, nullptr};
  const auto* kind = foreign_kind(*source);
  const std::string what = kind ? std::string(kind->kind)
                           : found.components.empty()
                               ? "something unknown"
                               : found.components.begin()->first + " weights";
  fail<LoadError>("{}: holds no {} but {}; {} needs a file or folder with one", path.string(),
                  component, what, r.option);
}

// Keeps the config of what is replaced where the new file brings none: it describes the same
// architecture.
void replace(ModelBundle& bundle, const fs::path& path, const Replacement& r) {
  if (path.empty()) return;
  Component c = open_replacement(path, r);
  if (c.config.is_null()) c.config = bundle.components[r.component].config;
  bundle.components[r.component] = std::move(c);
}

// Options of one kind of model, given with another, would do nothing.
void refuse_stray_options(const ModelBundle& bundle, const OpenOptions& options) {
  const bool sd3 = bundle.components.contains("transformer");
  for (const auto& r : kReplacements)
    if (r.denoiser && !(options.*r.path).empty() && (r.denoiser == std::string_view("unet")) == sd3)
      fail<UsageError>("{}: {} is for {} models; this is none: leave it out{}",
                       bundle.path.string(), r.option,
                       sd3 ? "Stable Diffusion 1 and 2" : "Stable Diffusion 3",
                       sd3 ? " (this model has --clip-l, --clip-g and --t5)" : "");
}

}  // namespace

ModelBundle open_model(const fs::path& path, const OpenOptions& options) {
  ModelBundle bundle = is_existing_folder(path) ? open_folder(path) : open_single_file(path);
  refuse_stray_options(bundle, options);
  for (const auto& r : kReplacements) replace(bundle, options.*r.path, r);
  if (options.no_t5) {
    bundle.components.erase("text_encoder_3");
    bundle.no_t5 = true;
  }
  if (!options.config.empty()) {
    if (!is_existing_folder(options.config))
      fail<LoadError>("{}: a diffusers folder with the model's configs is needed here",
                      options.config.string());
    read_folder_description(options.config, bundle);
  }
  return bundle;
}

void require_components(const ModelBundle& bundle) {
  const std::string path = bundle.path.string();
  const bool sd3 = bundle.components.contains("transformer");
  if (!sd3 && !bundle.components.contains("unet"))
    fail<LoadError>("{}: has no UNet, so it cannot draw; give a whole model with -m", path);
  const std::string_view denoiser = sd3 ? "transformer" : "unet";
  std::vector<std::string> names, options;
  for (const auto& part : kParts) {
    const bool t5 = part.component == std::string_view("text_encoder_3");
    if ((*part.denoiser && part.denoiser != denoiser) ||
        bundle.components.contains(part.component) || (t5 && bundle.no_t5))
      continue;
    names.emplace_back(part.name);
    options.push_back(
        fmt::format("{} FILE{}", part.option, t5 ? " (or leave T5 out: --no-t5)" : ""));
  }
  if (!names.empty())
    fail<LoadError>("{}: has no {}; give {} with {}", path, fmt::join(names, ", no "),
                    names.size() == 1 ? "one" : "them", fmt::join(options, ", "));
}

}  // namespace mezzo
