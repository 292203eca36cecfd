// Prompts to what the denoiser is conditioned on, remembered.
#pragma once

#include <map>
#include <optional>
#include <set>
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

  /// A request begins: what there is to say of its texts is said once more.
  void begin() { told_.clear(); }

  /// A row of embeddings for each text, on the model's backend. Warns once in a request about texts
  /// that do not fit, or hold instructions that are not understood. last: no other texts come in
  /// the request.
  TextEmbedding operator()(std::span<const TextRequest> requests, bool last = false);

 private:
  using Found = std::map<TextRequest, TextEmbedding>;  // on the host
  /// Those that are not known yet, by the encoders.
  void encode(const std::vector<TextRequest>& requests, bool last, Found& found);
  void remember(const TextRequest& request, const TextEmbedding& embedding);
  void warn(const TextRequest& request);

  const Model& model_;
  std::optional<PromptCache> on_disk_;
  Found cache_;
  std::set<TextRequest> told_;
  std::size_t cached_bytes_ = 0;
};

}  // namespace mezzo
