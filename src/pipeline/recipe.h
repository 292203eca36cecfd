// The recipe that goes into every picture: A1111's infotext for other programs, and our own request
// as JSON.
#pragma once

#include <cstdint>
#include <string>

#include "mezzotint/engine.h"

namespace mezzo {

/// One picture of a request: all settings as they were used (Engine::resolve), with this picture's
/// prompt and seed.
struct PictureRecipe {
  const GenerateParams& params;
  const std::string& prompt;
  std::int64_t seed = 0;
  const ModelInfo& model;
  Reuse reuse = {};
};

/// A1111's text: prompt, negative prompt, and one line of settings.
std::string recipe_infotext(const PictureRecipe& recipe);

/// The request for exactly this picture as JSON (params.h), with "model", "model_hash" and
/// "version" added.
std::string recipe_request(const PictureRecipe& recipe);

/// Reads what recipe_request() wrote; the additions go to `model_name` where it is given. Throws
/// UsageError.
GenerateParams recipe_from_request(const std::string& json, std::string* model_name = nullptr);

/// Reads infotext of any writer. Throws UsageError where it holds no settings or one that cannot be
/// used.
GenerateParams recipe_from_infotext(const std::string& text, std::string* model_name = nullptr);

}  // namespace mezzo
