// The unigram language model (Kudo 2018, arXiv:1804.10959): of all ways to cut a word into pieces
// the one whose scores (logarithms of probabilities) add up to the most, found by Viterbi's
// algorithm.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/prefix_table.h"

namespace mezzo {

struct UnigramPiece {
  std::string text;
  double score;
};

class Unigram {
 public:
  /// The id of a piece is its index; texts are valid UTF-8, not empty, each there once. `unknown`
  /// is the id of characters that no piece covers.
  Unigram(const std::vector<UnigramPiece>& pieces, int unknown);

  /// Appends the ids of one word, valid UTF-8; unknown characters beside each other become one.
  /// Time: its length times that of the longest piece.
  void encode(std::string_view word, std::vector<int>& ids) const;

 private:
  PrefixTable table_;
  std::vector<double> scores_;  // by id
  int unknown_;
  double unknown_score_;
};

}  // namespace mezzo
