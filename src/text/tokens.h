// What every tokenizer gives: ids for a text encoder, and pieces for display.
#pragma once

#include <string>
#include <utility>
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

/// `ids`, which end with `end`, as exactly `length` of them: filled up with `pad`, or cut before a
/// new end. decode(ids) gives the text of what was cut.
template <class Decode>
Tokens fitted(std::vector<int> ids, int length, int end, int pad, const Decode& decode) {
  const auto wanted = static_cast<std::size_t>(length);
  Tokens out{std::move(ids), 0, {}};
  if (out.ids.size() > wanted) {
    out.cut = decode(std::vector<int>(out.ids.begin() + length - 1, out.ids.end() - 1));
    out.ids.resize(wanted);
    out.ids.back() = end;
  }
  out.n_tokens = static_cast<int>(out.ids.size());
  out.ids.resize(wanted, pad);
  return out;
}

/// One token of a text.
struct TextPiece {
  std::string text;  // as in the vocabulary
  int id;
};

}  // namespace mezzo
