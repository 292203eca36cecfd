#include "text/clip_tokenizer.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/errors.h"

namespace mezzo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const ClipTokenizer& clip() {
  static const ClipTokenizer t = ClipTokenizer::built_in();
  return t;
}

std::string repeated(std::string_view piece, std::size_t bytes) {
  std::string s;
  while (s.size() + piece.size() <= bytes) s += piece;
  return s;
}

TEST(ClipTokenizer, KnowsItsSpecialTokens) {
  EXPECT_EQ(clip().size(), 49408);
  EXPECT_EQ(clip().begin_id(), 49406);
  EXPECT_EQ(clip().end_id(), 49407);
  EXPECT_EQ(clip().pad_id(), 49407);
  EXPECT_EQ(ClipTokenizer::built_in({.pad = "!"}).pad_id(), 0);
  EXPECT_THROW(ClipTokenizer::built_in({.pad = "no such token"}), LoadError);
}

TEST(ClipTokenizer, SaysWhatWasCut) {
  const Tokens fits = clip().tokenize(repeated("cat ", 75 * 4));
  EXPECT_EQ(fits.n_tokens, 77);
  EXPECT_EQ(fits.cut, "");
  const Tokens cut = clip().tokenize(repeated("cat ", 75 * 4) + "Dog, naïve 猫");
  EXPECT_EQ(cut.ids.size(), 77u);
  EXPECT_EQ(cut.ids.back(), 49407);
  EXPECT_EQ(cut.cut, "dog , naïve 猫");
  EXPECT_THAT(clip().tokenize("a cat", 3).ids, ElementsAre(49406, 320, 49407));
}

TEST(ClipTokenizer, ShowsPieces) {
  const auto pieces = clip().pieces("a sdxl 🐈");
  std::string all;
  for (const auto& p : pieces) all += p.text;
  EXPECT_EQ(pieces.front().text, "a</w>");
  EXPECT_EQ(pieces.front().id, 320);
  EXPECT_THAT(all, HasSubstr("a</w>s"));
  EXPECT_EQ(clip().decode(clip().encode("A  photo of 2 cats")),
            "<|startoftext|>a photo of 2 cats <|endoftext|>");
}

TEST(ClipTokenizer, TakesBytesThatAreNoText) {
  EXPECT_EQ(clip().encode("a\xFF z"), clip().encode("a\uFFFD z"));
  EXPECT_EQ(clip().encode(std::string_view("a\0b", 3)).size(), 5u);
}

TEST(ClipTokenizer, LimitsTheText) {
  EXPECT_NO_THROW(clip().encode(std::string(kMaxPromptBytes, 'a')));
  EXPECT_THROW(clip().encode(std::string(kMaxPromptBytes + 1, 'a')), UsageError);
}

// The worst texts that the limit allows stay quick (50 ms each in a release build).
TEST(ClipTokenizer, LongWordsAreQuick) {
  clip();
  for (const auto* piece : {"a", "ab", "thequickbrownfox", "!", "<|endoftext|>", "\u0301",
                            "a\u0323\u0307", "猫", " "}) {
    const std::string text = repeated(piece, kMaxPromptBytes);
    const auto start = std::chrono::steady_clock::now();
    clip().encode(text);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    EXPECT_LT(seconds.count(), 1) << piece;
  }
}

TEST(ClipTokenizer, TokensOfFilesMustBeInTheirVocabulary) {
  const std::string vocab = R"({"a":0,"a</w>":1,"<|startoftext|>":2,"<|endoftext|>":3})";
  const auto open = [&](std::string_view config, const ClipTokenizerOptions& options = {}) {
    return ClipTokenizer::from_files(
        {.vocab = vocab, .merges = "#version: 0.2\n", .config = config}, options);
  };
  EXPECT_THAT(open("").encode("aa b"),
              ElementsAre(2, 0, 1, 3, 3));  // what it does not know is its end token
  EXPECT_EQ(open(R"({"pad_token": "a"})").pad_id(), 0);
  EXPECT_THAT(open(R"({"pad_token": "a"})", {.pad_is_special = true}).encode("a a"),
              ElementsAre(2, 0, 0, 3));
  EXPECT_THROW(open(R"({"bos_token": "<s>"})"), LoadError);
  EXPECT_THROW(open(R"({"eos_token": ""})"), LoadError);
}

}  // namespace
}  // namespace mezzo
