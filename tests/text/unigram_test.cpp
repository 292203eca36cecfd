#include "text/unigram.h"

#include <limits>
#include <map>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mezzo {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<int> encode(const Unigram& unigram, std::string_view word) {
  std::vector<int> ids;
  unigram.encode(word, ids);
  return ids;
}

TEST(Unigram, TakesTheMostProbableCut) {
  const Unigram unigram(
      {{"<unk>", 0}, {"a", -1}, {"b", -1.5}, {"ab", -2}, {"ba", -1.75}, {"aba", -4}}, 0);
  EXPECT_THAT(encode(unigram, "ab"), ElementsAre(3));
  EXPECT_THAT(encode(unigram, "aba"), ElementsAre(1, 4));
  EXPECT_THAT(encode(unigram, ""), IsEmpty());
}

TEST(Unigram, OfEqualCutsTheLongerLastPieceStays) {
  const Unigram unigram({{"<unk>", 0}, {"a", -1}, {"aa", -2}}, 0);
  EXPECT_THAT(encode(unigram, "aaa"), ElementsAre(1, 2));
}

TEST(Unigram, UnknownCharactersBesideEachOtherAreOne) {
  const Unigram unigram({{"<unk>", 0}, {"a", -1}, {"猫", -2}}, 0);
  EXPECT_THAT(encode(unigram, "a犬x猫y"), ElementsAre(1, 0, 2, 0));
  std::vector<int> ids = {7, 0};
  unigram.encode("xya", ids);
  EXPECT_THAT(ids, ElementsAre(7, 0, 0, 1)) << "an unknown word before is another";
}

/// The best score of all cuts, by trying each.
double best_score(const std::map<std::string, double>& scores, const std::string& word) {
  if (word.empty()) return 0;
  double best = -std::numeric_limits<double>::infinity();
  for (std::size_t n = 1; n <= word.size(); ++n)
    if (const auto it = scores.find(word.substr(0, n)); it != scores.end())
      best = std::max(best, it->second + best_score(scores, word.substr(n)));
  return best;
}

TEST(Unigram, AgreesWithTryingEveryCut) {
  std::mt19937 random(7);
  std::map<std::string, double> scores = {{"a", -3}, {"b", -2.5}, {"c", -4}};
  const auto any_word = [&](std::size_t size) {
    std::string word;
    for (std::size_t i = 0; i < size; ++i) word.push_back(static_cast<char>('a' + random() % 3));
    return word;
  };
  for (int i = 0; i < 30; ++i)
    scores.emplace(any_word(2 + random() % 4), -1 - static_cast<double>(random() % 1000) / 100);
  std::vector<UnigramPiece> pieces = {{"<unk>", 0}};
  for (const auto& [text, score] : scores) pieces.push_back({text, score});
  const Unigram unigram(pieces, 0);
  for (int i = 0; i < 200; ++i) {
    const std::string word = any_word(1 + random() % 12);
    double score = 0;
    std::string joined;
    for (const int id : encode(unigram, word)) {
      score += pieces[static_cast<std::size_t>(id)].score;
      joined += pieces[static_cast<std::size_t>(id)].text;
    }
    EXPECT_EQ(joined, word);
    EXPECT_NEAR(score, best_score(scores, word), 1e-9) << word;
  }
}

}  // namespace
}  // namespace mezzo
