#include <array>

#include "base/error.h"
#include "checkpoint/bundle.h"
#include "checkpoint/bundle_gguf.h"
#include "checkpoint/diffusers_folder.h"
#include "checkpoint/layouts.h"
#include "checkpoint/open_weights.h"
#include "checkpoint/require.h"

namespace mezzo {
namespace {

// A network that was given where a whole model is needed, and the option that takes it.
struct Part {
  const char *component, *kind, *option;
};
constexpr std::array kParts = {
    Part{"vae", "a VAE alone", "--vae"},
    Part{"text_encoder", "a text encoder alone", "--clip"},
};

// Refuses what was recognised but is no model: VAEs, LoRAs, text ...
void require_model(const FoundNetworks& found, const TensorSource& source,
                   const std::string& path) {
  // Networks first: a whole model may well carry a tensor that looks like something else.
  if (found.components.contains("unet")) return;
  if (const auto* kind = foreign_kind(source))
    fail<LoadError>("{}: is a file of another kind, {}, and not a model; {}", path, kind->kind,
                    kind->advice);
  for (const auto& part : kParts)
    if (found.components.size() == 1 && found.components.contains(part.component))
      fail<LoadError>(
          "{}: is {}, and not a whole model; give a model with -m and this file with {}", path,
          part.kind, part.option);
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
Component open_replacement(const fs::path& path, const char* component, const char* option) {
  if (is_existing_folder(path)) return open_component_folder(path, component);
  const auto source = open_weights(path);
  if (const auto gguf = std::dynamic_pointer_cast<const Gguf>(source); gguf && is_bundle(*gguf)) {
    auto bundle = read_bundle(gguf, path);
    if (bundle.components.contains(component)) return bundle.components[component];
  }
  auto found = find_networks(source);
  if (const auto it = found.components.find(component); it != found.components.end())
    return {it->second, nullptr};
  const auto* kind = foreign_kind(*source);
  const std::string what = kind ? std::string(kind->kind)
                           : found.components.empty()
                               ? "something unknown"
                               : found.components.begin()->first + " weights";
  fail<LoadError>("{}: holds no {} but {}; {} needs a file or folder with one", path.string(),
                  component, what, option);
}

// Keeps the config of what is replaced where the new file brings none: it describes the same
// architecture.
void replace(ModelBundle& bundle, const fs::path& path, const char* component, const char* option) {
  if (path.empty()) return;
  Component c = open_replacement(path, component, option);
  if (c.config.is_null()) c.config = bundle.components[component].config;
  bundle.components[component] = std::move(c);
}

}  // namespace

ModelBundle open_model(const fs::path& path, const OpenOptions& options) {
  ModelBundle bundle = is_existing_folder(path) ? open_folder(path) : open_single_file(path);
  replace(bundle, options.vae, "vae", "--vae");
  replace(bundle, options.clip, "text_encoder", "--clip");
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
  if (bundle.components.contains("transformer") && !bundle.components.contains("unet"))
    fail<LoadError>(
        "{}: is a Stable Diffusion 3 model, which this build cannot run yet; use a Stable "
        "Diffusion 1 or 2 model",
        path);
  if (!bundle.components.contains("unet"))
    fail<LoadError>("{}: has no UNet, so it cannot draw; give a whole model with -m", path);
  for (const auto& part : kParts)
    if (!bundle.components.contains(part.component))
      fail<LoadError>("{}: has no {}; give one with {} FILE", path, part.component, part.option);
}

}  // namespace mezzo
