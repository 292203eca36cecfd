// A model ready to run: its networks built on a backend from a bundle of files.
#pragma once

#include <functional>
#include <optional>

#include "checkpoint/bundle.h"
#include "models/clip/clip_text.h"
#include "models/unet/unet.h"
#include "pipeline/autoencoder.h"
#include "text/clip_tokenizer.h"

namespace mezzo {

/// The configs of a bundle's networks, given or detected, without building anything.
struct ModelConfigs {
  ClipTextConfig text;
  UNetConfig unet;

  static ModelConfigs of(const ModelBundle& bundle);
  /// As people call it: "SD 1.x", "SD 2.x inpainting" ...
  std::string family() const;
};

/// The bundle's tokenizer, or CLIP's own where it brings none. Throws LoadError when it does not
/// fit the text encoder.
ClipTokenizer make_tokenizer(const ModelBundle& bundle, const ClipTextConfig& text);

/// What the network predicts where neither the scheduler's config nor the request says: SD 2.x's
/// 768-pixel models predict v, everything else the noise.
nlohmann::json scheduler_config(const ModelBundle& bundle, const UNetConfig& unet);

/// The sampler that a scheduler's config stands for, by its name in the registry where it has one.
std::string sampler_name(const nlohmann::json& scheduler);

/// What the model says that it can draw (objects.json); empty where it says nothing.
std::vector<std::string> drawable_objects(const ModelBundle& bundle);

class Model {
 public:
  /// Called before each network is loaded with its name.
  using OnNetwork = std::function<void(const char* name, int index, int count)>;

  Model(const ModelBundle& bundle, Backend& backend, Precision precision,
        const OnNetwork& on_network = {});

  Backend& backend;
  const ModelConfigs configs;
  const ClipTokenizer tokenizer;
  const ClipText text_encoder;
  const UNet unet;
  const std::unique_ptr<Autoencoder> vae;

  bool is_inpainting() const { return configs.unet.in_channels == 2 * vae->latent_channels() + 1; }
};

}  // namespace mezzo
