// Prompts to what the denoiser is conditioned on, remembered.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "pipeline/model.h"
#include "pipeline/prompt_cache.h"

namespace mezzo {

/// Encodes prompts and remembers the results, so that a prompt seen before costs nothing: in
/// memory, and in a folder where there is one.
class Conditioning {
 public:
  explicit Conditioning(const Model& model, std::optional<PromptCache> on_disk = {})
      : model_(model), on_disk_(std::move(on_disk)) {}

  /// A row of embeddings for each prompt, on the model's backend. Warns about prompts that do not
  /// fit.
  TextEmbedding operator()(const std::vector<Prompt>& prompts, const TextSettings& settings);

 private:
  const TextEmbedding& encoded(const Prompt& prompt, const TextSettings& settings);
  /// From the folder or the encoders, on the host.
  TextEmbedding made(const Prompt& prompt, const TextSettings& settings) const;

  const Model& model_;
  std::optional<PromptCache> on_disk_;
  std::map<std::pair<Prompt, TextSettings>, TextEmbedding> cache_;  // on the host
  std::size_t cached_bytes_ = 0;
};

}  // namespace mezzo
