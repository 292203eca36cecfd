// A model ready to run: its networks built on a backend from a bundle of files.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pipeline/autoencoder.h"
#include "pipeline/family.h"
#include "pipeline/resolve.h"

namespace mezzo {

/// The bundle's scheduler, or its family's.
nlohmann::json scheduler_config(const ModelBundle& bundle);

/// The sampler that a scheduler's config stands for, by its name in the registry where it has one.
std::string sampler_name(const nlohmann::json& scheduler);

/// What the model says that it can draw (objects.json); empty where it says nothing.
std::vector<std::string> drawable_objects(const ModelBundle& bundle);

class Model {
 public:
  /// Called before each network is loaded with its name.
  using OnNetwork = std::function<void(const char* name, int index, int count)>;

  Model(const ModelBundle& bundle, const Loading& loading, const OnNetwork& on_network = {});
  /// Everything in memory.
  Model(const ModelBundle& bundle, Backend& b, Precision precision)
      : Model(bundle, Loading{b, precision, {}}) {}

  Backend& backend;
  const ModelDescription description;
  const std::unique_ptr<TextConditioner> text;
  const std::unique_ptr<Denoiser> denoiser;
  const std::unique_ptr<Autoencoder> vae;

  bool is_inpainting() const { return description.in_channels == 2 * vae->latent_channels() + 1; }
};

/// What a request gets that says nothing: the model's own recommendations, else its family's.
ModelDefaults defaults_of(const Model& model, const ModelBundle& bundle);

/// Fields of a request that do nothing for a model, or that it refuses.
std::vector<std::string> unused_fields(const Model& model, const ModelBundle& bundle);

}  // namespace mezzo
