// Prompts to what the denoiser is conditioned on, remembered.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "pipeline/model.h"

namespace mezzo {

/// Encodes prompts and remembers the results, so that a prompt seen before costs nothing.
class Conditioning {
 public:
  explicit Conditioning(const Model& model) : model_(model) {}

  /// A row of embeddings for each prompt, on the model's backend. Warns about prompts that do not
  /// fit.
  TextEmbedding operator()(const std::vector<Prompt>& prompts, const TextSettings& settings);

 private:
  const TextEmbedding& encoded(const Prompt& prompt, const TextSettings& settings);

  const Model& model_;
  std::map<std::pair<Prompt, TextSettings>, TextEmbedding> cache_;  // on the host
  std::size_t cached_bytes_ = 0;
};

}  // namespace mezzo
