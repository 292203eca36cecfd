#include "text/unigram.h"

#include <algorithm>

#include "base/utf8.h"

namespace mezzo {
namespace {

constexpr double kUnknownPenalty = 10;  // below the least probable piece; SentencePiece's

/// The best way to the end of a character: its last piece and the score of all.
struct Node {
  std::size_t start = 0;
  int id = -1;  // -1: nothing ends here
  double score = 0;
};

}  // namespace

Unigram::Unigram(const std::vector<UnigramPiece>& pieces, int unknown) : unknown_(unknown) {
  std::vector<PrefixTable::Entry> entries;
  entries.reserve(pieces.size());
  scores_.reserve(pieces.size());
  for (const auto& [text, score] : pieces) {
    entries.push_back({text, static_cast<int>(entries.size())});
    scores_.push_back(score);
  }
  table_ = PrefixTable(std::move(entries));
  unknown_score_ = std::ranges::min(scores_) - kUnknownPenalty;
}

void Unigram::encode(std::string_view word, std::vector<int>& ids) const {
  std::vector<Node> best(word.size() + 1);
  const auto offer = [&](std::size_t start, std::size_t end, int id, double score) {
    score += best[start].score;
    // Of equal ones the first stays: the one whose last piece is the longest.
    if (best[end].id < 0 || score > best[end].score) best[end] = {start, id, score};
  };
  for (std::size_t pos = 0, next = 0; pos < word.size(); pos = next) {
    next_character(word, next);
    bool covered = false;
    table_.for_each_prefix(word.substr(pos), [&](const PrefixTable::Entry& e) {
      const std::size_t end = pos + e.text.size();
      covered = covered || end == next;
      offer(pos, end, e.id, scores_[static_cast<std::size_t>(e.id)]);
    });
    if (!covered) offer(pos, next, unknown_, unknown_score_);
  }

  const auto first = static_cast<std::ptrdiff_t>(ids.size());
  for (std::size_t end = word.size(); end > 0; end = best[end].start) {
    const int id = best[end].id;
    const bool joins =
        id == unknown_ && static_cast<std::ptrdiff_t>(ids.size()) > first && ids.back() == unknown_;
    if (!joins) ids.push_back(id);
  }
  std::reverse(ids.begin() + first, ids.end());
}

}  // namespace mezzo
