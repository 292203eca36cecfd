// The table by which a SentencePiece model normalises text (its precompiled_charsmap): a double
// array (Aoe 1989; darts-clone's layout) of character sequences, and what each of them becomes.
// Applied as the tokenizers library does: to a grapheme as a whole first, else to its characters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mezzo {

class CharacterMap {
 public:
  /// Changes nothing.
  CharacterMap() = default;
  /// Throws LoadError, with `origin` for the file's name, where the table contradicts itself.
  CharacterMap(std::string_view precompiled, const std::string& origin);

  /// `text` is valid UTF-8.
  std::string apply(std::string_view text) const;

 private:
  std::optional<std::string_view> find(std::string_view text) const;

  std::vector<std::uint32_t> units_;
  std::string replacements_;  // each ends with a zero byte
};

}  // namespace mezzo
