#include "mezzotint/files.h"
#include "pipeline/family.h"
#include "pipeline/open_engine.h"

namespace mezzo {

TokenReport count_tokens(const std::string& model, const EngineOptions& options,
                         const std::string& prompt) {
  const auto bundle = open_model(model, open_options(options));
  const Family& family = find_family(bundle);
  family.describe(bundle);  // tokenizers of files that do not go together tell nothing
  return family.tokens(bundle, prompt);
}

}  // namespace mezzo
