#include "pipeline/model.h"

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "checkpoint/require.h"
#include "sampling/registry.h"
#include "sampling/scheduler_config.h"

namespace mezzo {
namespace {

constexpr std::int64_t kOpenClipWidth = 1024;  // of SD 2.x's text encoder

/// Builds a network and reports what its file holds beyond it.
template <class Network, class Config>
Network build(const ModelBundle& bundle, const char* name, Backend& backend, Precision precision,
              const Config& config) {
  const Weights w(bundle.components.at(name).weights, backend, precision, name);
  Network network(w, config);
  if (const auto unused = w.finish(); !unused.empty() && backend.has_data())
    log_warning("{}: {} tensors of the {} are not used, such as {}", bundle.path.string(),
                unused.size(), name, unused.front());
  return network;
}

template <class Config>
Config config_of(const ModelBundle& bundle, const char* name) {
  const auto& c = bundle.components.at(name);
  return c.config.is_null() ? Config::detect(*c.weights)
                            : Config::parse(c.config, fmt::format("{}/{}/config.json",
                                                                  bundle.path.string(), name));
}

}  // namespace

ModelConfigs ModelConfigs::of(const ModelBundle& bundle) {
  require_components(bundle);
  ModelConfigs c{.text = config_of<ClipTextConfig>(bundle, "text_encoder"),
                 .unet = config_of<UNetConfig>(bundle, "unet")};
  if (c.text.hidden_size != c.unet.cross_attention_dim)
    fail<LoadError>(
        "{}: the text encoder gives {} numbers a token, the UNet expects {}; they belong to "
        "different models (give the right one with --clip)",
        bundle.path.string(), c.text.hidden_size, c.unet.cross_attention_dim);
  return c;
}

std::string ModelConfigs::family() const {
  const char* base = unet.cross_attention_dim == 768    ? "SD 1.x"
                     : unet.cross_attention_dim == 1024 ? "SD 2.x"
                                                        : "Stable Diffusion";
  return unet.in_channels == 9 ? fmt::format("{} inpainting", base) : base;
}

ClipTokenizer make_tokenizer(const ModelBundle& bundle, const ClipTextConfig& text) {
  const auto it = bundle.tokenizers.find("tokenizer");
  const auto file = [&](const char* name) -> std::string_view {
    const auto f = it->second.find(name);
    return f == it->second.end() ? std::string_view() : f->second;
  };
  // SD 2.x pads with "!", SD 1.x with the end token; folders say so, single files do not.
  ClipTokenizer tokenizer =
      it == bundle.tokenizers.end()
          ? ClipTokenizer::built_in({.pad = text.hidden_size == kOpenClipWidth ? "!" : ""})
          : ClipTokenizer::from_files({.vocab = file("vocab.json"),
                                       .merges = file("merges.txt"),
                                       .config = file("tokenizer_config.json"),
                                       .special_tokens = file("special_tokens_map.json"),
                                       .origin = bundle.path.string() + "/tokenizer"});
  if (tokenizer.size() > text.vocab_size)
    fail<LoadError>(
        "{}: the tokenizer has {} entries, the text encoder {}; they belong to different models "
        "(give a folder with the right tokenizer by --config)",
        bundle.path.string(), tokenizer.size(), text.vocab_size);
  return tokenizer;
}

nlohmann::json scheduler_config(const ModelBundle& bundle, const UNetConfig& unet) {
  if (bundle.scheduler.is_object()) return bundle.scheduler;
  // The schedule that every SD 1.x and 2.x model was trained on, and the sampler their folders
  // name.
  nlohmann::json s = sampling::SchedulerConfig().fields();
  const bool v = unet.cross_attention_dim == 1024 && unet.in_channels == 4;
  s["prediction_type"] = v ? "v_prediction" : "epsilon";
  if (v)
    log_warning(
        "{}: is an SD 2.x model without a config; taking it to predict v (the 768-pixel models "
        "do). If the pictures are noise, add --prediction epsilon",
        bundle.path.string());
  return s;
}

std::string sampler_name(const nlohmann::json& scheduler) {
  const auto name = std::string(sampling::SchedulerConfig(scheduler).scheduler().name);
  const auto* row = sampling::find_sampler(name);
  return row ? std::string(row->name) : name;
}

std::vector<std::string> drawable_objects(const ModelBundle& bundle) {
  std::vector<std::string> objects;
  if (bundle.defaults.is_object() && bundle.defaults.contains("objects") &&
      bundle.defaults["objects"].is_array())
    for (const auto& o : bundle.defaults["objects"])
      if (o.is_string()) objects.push_back(o.get<std::string>());
  return objects;
}

Model::Model(const ModelBundle& bundle, Backend& b, Precision precision,
             const OnNetwork& on_network)
    : backend(b),
      configs(ModelConfigs::of(bundle)),
      tokenizer(make_tokenizer(bundle, configs.text)),
      text_encoder((on_network ? on_network("text encoder", 0, 3) : void(),
                    build<ClipText>(bundle, "text_encoder", b, precision, configs.text))),
      unet((on_network ? on_network("UNet", 1, 3) : void(),
            build<UNet>(bundle, "unet", b, precision, configs.unet))),
      vae((on_network ? on_network("VAE", 2, 3) : void(),
           make_autoencoder(bundle.components.at("vae"), b, precision))) {
  if (configs.unet.out_channels != vae->latent_channels() ||
      (configs.unet.in_channels != vae->latent_channels() && !is_inpainting()))
    fail<LoadError>(
        "{}: a UNet of {} -> {} channels does not go with a VAE of {} latent channels; Stable "
        "Diffusion 1.x, 2.x and their inpainting models can be run",
        bundle.path.string(), configs.unet.in_channels, configs.unet.out_channels,
        vae->latent_channels());
}

}  // namespace mezzo
