// Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) of words as bytes: the merge of
// lowest rank first, the leftmost where ranks are equal.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace mezzo {

/// Ids by token.
using TokenIds = std::unordered_map<std::string, int>;

/// The characters that stand for the bytes 0..255 in vocabularies: printable ones for themselves,
/// the others moved above 255.
const std::array<char32_t, 256>& byte_characters();

/// Marks the end of a word in a vocabulary.
inline constexpr std::string_view kEndOfWord = "</w>";

class BytePairs {
 public:
  /// From a vocabulary and the lines of a merges.txt ("i n", in order of rank; a "#version" line is
  /// passed over). `unknown` is the id of bytes that the vocabulary lacks. Throws LoadError, with
  /// `origin` for the file's name, when a merge is no pair or names a token that the vocabulary
  /// lacks.
  BytePairs(const TokenIds& vocabulary, std::string_view merges, int unknown,
            const std::string& origin);

  /// Appends the ids of one word. Time n log n in its length.
  void encode(std::string_view word, std::vector<int>& ids) const;

 private:
  struct Merge {
    int rank, id;
  };
  const Merge* find(int left, int right) const;

  std::unordered_map<std::uint64_t, Merge> merges_;  // by both ids
  std::array<int, 256> inner_, last_;                // id of a byte inside and at the end of a word
};

}  // namespace mezzo
