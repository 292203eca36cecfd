// The families of models that can be run. A family is one row of a table: how its networks are
// described, and built behind the interfaces that the pipelines use.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "checkpoint/bundle.h"
#include "pipeline/denoiser.h"
#include "pipeline/memory_strategy.h"

namespace mezzo {

/// What is known of a model before its networks are built.
struct ModelDescription {
  std::string family;  // as people call it: "SD 1.x inpainting", "SD 3.5 Medium"
  std::int64_t in_channels = 4, out_channels = 4;  // of the denoiser
  std::int64_t sample_size = 64;                   // side of the latents it was trained on
  std::int64_t patch = 1;                          // sides of latents are multiples of it
  std::int64_t skippable_layers = 0;               // 0: skip-layer guidance is not for this network
  std::int64_t steps = 25;                         // that its makers recommend
  double guidance = 7.5;
  int text_encoders = 1;  // that take a prompt
};

struct Family {
  std::string_view denoiser;       // the component whose presence tells the family
  std::string_view denoiser_name;  // in progress: "UNet"
  /// Checks that the networks go together. Throws LoadError.
  ModelDescription (*describe)(const ModelBundle&);
  /// The scheduler of a model that brings none.
  nlohmann::json (*scheduler)(const ModelBundle&);
  std::unique_ptr<TextConditioner> (*text_conditioner)(const ModelBundle&, const Loading&);
  std::unique_ptr<Denoiser> (*make_denoiser)(const ModelBundle&, const Loading&);
  /// What a text becomes for the first encoder, from its tokenizer alone.
  TokenReport (*tokens)(const ModelBundle&, const std::string& text);
};

std::span<const Family> families();
/// Throws LoadError naming what is missing where no family's networks are complete.
const Family& find_family(const ModelBundle& bundle);

}  // namespace mezzo
