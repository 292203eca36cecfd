// Fills in what a request leaves open, from the model's own recommendations and configs.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "mezzotint/params.h"

namespace mezzo {

struct ModelDefaults {
  std::int64_t steps = 25, width = 512, height = 512;
  double guidance = 7.5;
  double guidance_rescale = 0;
  std::string sampler;                // empty: the scheduler config's
  std::int64_t factor = 8;            // sizes are multiples of it
  bool inpainting = false;            // the model needs a picture and a mask
  std::int64_t skippable_layers = 0;  // that skip-layer guidance may leave out; 0: not for it
  /// Names of all that a small model can draw, synonyms too; empty: whatever it is asked for.
  std::vector<std::string> objects = {};

  /// `family` with what a model's own defaults (objects.json) say, checked; null: nothing.
  static ModelDefaults from(const nlohmann::json& defaults, ModelDefaults family,
                            const std::string& origin);
};

/// The numbers of "7,8,9" or "7, 8, 9". Throws UsageError for anything else.
std::vector<std::int64_t> skipped_layers(const GenerateParams& params);

/// The request with every default filled in, init and mask at the size of the result. Throws
/// UsageError.
GenerateParams resolve(const GenerateParams& params, const ModelDefaults& defaults);

/// Says so where the picture of a request is drawn at another size or shape than its own.
void warn_about_size(const GenerateParams& asked, const GenerateParams& resolved);
/// Says so where a prompt is empty, names nothing that a model with a list of objects can draw, or
/// the size is far beyond its own.
void warn_about_reach(const GenerateParams& resolved, const ModelDefaults& defaults);
/// Warns about settings of a request that do nothing with the model.
void warn_about_unused(const GenerateParams& request, const std::vector<std::string>& unused);

}  // namespace mezzo
