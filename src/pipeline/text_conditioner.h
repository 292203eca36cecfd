// Prompts to what a denoiser is conditioned on. Each family of models has its own text encoders;
// the pipelines see only this.
#pragma once

#include <compare>
#include <span>
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

struct TextRequest {
  Prompt prompt = {};
  TextSettings settings = {};
  auto operator<=>(const TextRequest&) const = default;
};

/// Rows are prompts.
struct TextEmbedding {
  Tensor tokens;       // [B, L, D]
  Tensor pooled = {};  // [B, P]: the text as a whole, where the family uses it
};

class TextConditioner {
 public:
  virtual ~TextConditioner() = default;
  /// One row for each, which does not depend on its company. An encoder reads all of them before
  /// the next one begins. Where the strategy says so, always or after the `last` texts of a
  /// request, it then gives its memory back.
  virtual std::vector<TextEmbedding> encode(std::span<const TextRequest> requests,
                                            bool last) const = 0;

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
