// What every tokenizer gives: ids for a text encoder, and pieces for display.
#pragma once

#include <string>
#include <vector>

namespace mezzo {

/// A prompt longer than this is refused before it is looked at.
inline constexpr int kMaxPromptBytes = 16 << 10;

/// Token ids of one prompt, ready for a text encoder.
struct Tokens {
  std::vector<int> ids;  // pieces with the model's begin and end, padding: as many as asked for
  int n_tokens = 0;      // without the padding
  std::string cut;       // what did not fit, for a warning; empty when all did
};

/// One token of a text.
struct TextPiece {
  std::string text;  // as in the vocabulary
  int id;
};

}  // namespace mezzo
