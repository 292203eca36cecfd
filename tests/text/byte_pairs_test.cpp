#include "text/byte_pairs.h"

#include <map>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/utf8.h"
#include "mezzotint/errors.h"

namespace mezzo {
namespace {

using testing::HasSubstr;

/// The 512 tokens of bytes, then the tokens that merges make.
TokenIds vocabulary_for(const std::vector<std::pair<std::string, std::string>>& merges) {
  TokenIds ids;
  const auto add = [&](const std::string& t) { ids.emplace(t, static_cast<int>(ids.size())); };
  for (const auto* end : {"", "</w>"}) {
    for (const char32_t c : byte_characters()) {
      std::string token;
      append_utf8(token, c);
      add(token + end);
    }
  }
  for (const auto& [a, b] : merges) add(a + b);
  return ids;
}

std::string as_lines(const std::vector<std::pair<std::string, std::string>>& merges) {
  std::string text = "#version: 0.2\n";
  for (const auto& [a, b] : merges) text += a + " " + b + "\n";
  return text;
}

TEST(BytePairs, ByteCharactersAreDistinct) {
  const std::set<char32_t> distinct(byte_characters().begin(), byte_characters().end());
  EXPECT_EQ(distinct.size(), 256u);
  EXPECT_EQ(byte_characters()['a'], U'a');
  EXPECT_EQ(byte_characters()[0], char32_t{256});
  EXPECT_EQ(byte_characters()[' '], char32_t{288});
}

/// By the book: as long as a pair has a rank, the pair of lowest rank, leftmost first, becomes one.
std::vector<std::string> plain(const std::string& word,
                               const std::vector<std::pair<std::string, std::string>>& merges) {
  std::map<std::pair<std::string, std::string>, std::size_t> rank;
  for (std::size_t i = 0; i < merges.size(); ++i) rank[merges[i]] = i;
  std::vector<std::string> tokens;
  for (const char c : word) tokens.emplace_back(1, c);
  tokens.back() += "</w>";
  while (true) {
    std::size_t best = merges.size(), at = 0;
    for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
      const auto it = rank.find({tokens[i], tokens[i + 1]});
      if (it == rank.end() || it->second >= best) continue;
      best = it->second;
      at = i;
    }
    if (best == merges.size()) return tokens;
    tokens[at] += tokens[at + 1];
    tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

TEST(BytePairs, EqualsThePlainAlgorithmOnRandomWords) {
  std::mt19937 random(7);
  const auto below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  for (int round = 0; round < 30; ++round) {
    // Merges over two letters, each of tokens that exist by then.
    std::vector<std::string> inner = {"a", "b"}, last = {"a</w>", "b</w>"};
    std::vector<std::pair<std::string, std::string>> merges;
    for (int i = 0; i < 12; ++i) {
      const bool ends = below(3) == 0;
      const std::pair<std::string, std::string> m(
          inner[below(inner.size())], ends ? last[below(last.size())] : inner[below(inner.size())]);
      if (std::ranges::find(merges, m) != merges.end()) continue;
      merges.push_back(m);
      (ends ? last : inner).push_back(m.first + m.second);
    }
    const TokenIds ids = vocabulary_for(merges);
    const BytePairs pairs(ids, as_lines(merges), 0, "test");
    for (int k = 0; k < 40; ++k) {
      std::string word;
      for (std::size_t n = 1 + below(25); n > 0; --n) word += below(2) ? 'a' : 'b';
      std::vector<int> expected, found;
      for (const auto& token : plain(word, merges)) expected.push_back(ids.at(token));
      pairs.encode(word, found);
      ASSERT_EQ(found, expected) << word;
    }
  }
}

TEST(BytePairs, TakesUnknownBytesAndOtherLineEnds) {
  const TokenIds few = {{"a", 0}, {"a</w>", 1}, {"aa</w>", 2}, {"?", 3}};
  const BytePairs pairs(few, "a a</w>\r\n", 3, "test");
  std::vector<int> ids;
  pairs.encode("baa", ids);
  pairs.encode("", ids);
  EXPECT_THAT(ids, testing::ElementsAre(3, 2));
}

TEST(BytePairs, RefusesMergesThatFitNoVocabulary) {
  const TokenIds ids = {{"a", 0}, {"b", 1}, {"ab", 2}};
  const auto message = [&](const char* merges) {
    try {
      BytePairs(ids, merges, 0, "model/tokenizer");
    } catch (const LoadError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(message("a b\n"), "");
  EXPECT_THAT(message("a b\nb a\n"),
              HasSubstr("model/tokenizer: line 2 of the merges names the token ba"));
  EXPECT_THAT(message("a c\n"), HasSubstr("the token c"));
  for (const auto* bad : {"ab\n", "a b a\n", " a\n", "a \n", "{\"a\":1}"})
    EXPECT_THAT(message(bad), HasSubstr("line 1 of the merges is not two tokens")) << bad;
}

}  // namespace
}  // namespace mezzo
