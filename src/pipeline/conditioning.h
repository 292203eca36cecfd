// Prompts to what the denoiser is conditioned on.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "pipeline/model.h"

namespace mezzo {

/// Encodes prompts and remembers the results, so that a prompt seen before costs nothing.
class Conditioning {
 public:
  explicit Conditioning(const Model& model) : model_(model) {}

  /// One row of embeddings a prompt: [prompts, L, D] on the model's backend. Warns about prompts
  /// that do not fit.
  Tensor operator()(const std::vector<std::string>& prompts, int clip_skip);

 private:
  const Tensor& encoded(const std::string& prompt, int clip_skip);

  const Model& model_;
  std::map<std::pair<std::string, int>, Tensor> cache_;  // host tensors [L, D]
};

}  // namespace mezzo
