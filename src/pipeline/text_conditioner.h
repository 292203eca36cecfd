// Prompts to what a denoiser is conditioned on. Each family of models has its own text encoders;
// the pipelines see only this.
#pragma once

#include <compare>
#include <string>
#include <vector>

#include "mezzotint/engine.h"
#include "ops/ops.h"

namespace mezzo {

/// What one picture shall show. A family with several text encoders may give each its own words;
/// an empty text stands for the first.
struct Prompt {
  std::string text = {}, text_2 = {}, text_3 = {};
  auto operator<=>(const Prompt&) const = default;
};

struct TextSettings {
  int clip_skip = 1;  // 1: the layer that the family uses, 2: the one before ...
  int t5_length = 0;  // tokens that T5 reads, where there is one; 0: the family's own
  auto operator<=>(const TextSettings&) const = default;
};

/// Rows are prompts.
struct TextEmbedding {
  Tensor tokens;       // [B, L, D]
  Tensor pooled = {};  // [B, P]: the text as a whole, where the family uses it
};

class TextConditioner {
 public:
  virtual ~TextConditioner() = default;
  /// One prompt, so that the result does not depend on its company: tokens [1, L, D].
  virtual TextEmbedding encode(const Prompt& prompt, const TextSettings& settings) const = 0;

  /// Called when no prompt is left to encode for now, or, `last`, in the whole request: where the
  /// strategy says so, the encoders give their memory back until the next one.
  virtual void release(bool last) = 0;

  /// A part of a prompt that no encoder reads.
  struct Cut {
    int limit;  // tokens that are read
    std::string text;
  };
  virtual std::vector<Cut> cuts(const Prompt& prompt, const TextSettings& settings) const = 0;
  /// What a text becomes for the first encoder.
  virtual TokenReport tokens(const std::string& text) const = 0;
};

}  // namespace mezzo
