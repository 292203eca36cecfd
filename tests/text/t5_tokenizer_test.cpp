#include "text/t5_tokenizer.h"

#include <ctime>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/errors.h"
#include "text/make_spiece.h"

namespace mezzo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

const T5Tokenizer& t5() {
  static const T5Tokenizer tokenizer = T5Tokenizer::built_in();
  return tokenizer;
}

std::string repeated(std::string_view piece, std::size_t bytes) {
  std::string text;
  while (text.size() + piece.size() <= bytes) text += piece;
  return text;
}

/// A tokenizer of a few pieces; the first after the special ones has id 3.
T5Tokenizer small(std::string_view pieces) {
  const std::string model = test::spiece(pieces);
  return T5Tokenizer::from_files({.spiece = model});
}

TEST(T5Tokenizer, BuiltIn) {
  EXPECT_EQ(t5().size(), 32100);
  EXPECT_EQ(t5().end_id(), 1);
  EXPECT_EQ(t5().pad_id(), 0);
  EXPECT_EQ(t5().unknown_id(), 2);
  EXPECT_THAT(t5().encode(""), ElementsAre(1));
  EXPECT_THAT(t5().encode(" \n\t"), ElementsAre(1));
  EXPECT_THAT(t5().encode("hello!"), ElementsAre(21820, 55, 1));
  EXPECT_EQ(t5().encode("  ①   cat\n"), t5().encode("1 cat"));
}

TEST(T5Tokenizer, CutsAndPads) {
  const Tokens padded = t5().tokenize("hello!", 6);
  EXPECT_THAT(padded.ids, ElementsAre(21820, 55, 1, 0, 0, 0));
  EXPECT_EQ(padded.n_tokens, 3);
  EXPECT_EQ(padded.cut, "");
  EXPECT_EQ(t5().tokenize("hello!", 3).cut, "");
  const Tokens cut = t5().tokenize("hello! A Dog, 猫.", 3);
  EXPECT_THAT(cut.ids, ElementsAre(21820, 55, 1));
  EXPECT_EQ(cut.n_tokens, 3);
  EXPECT_EQ(cut.cut, "A Dog, ⁇.");
  EXPECT_THAT(t5().tokenize("hello!", 1).ids, ElementsAre(1));
}

TEST(T5Tokenizer, ShowsPieces) {
  const auto pieces = t5().pieces("a cat</s>");
  ASSERT_EQ(pieces.size(), 4u);
  EXPECT_EQ(pieces[1].text, "a");
  EXPECT_EQ(pieces[2].text, "▁cat");
  EXPECT_EQ(pieces[2].id, 1712);
  EXPECT_EQ(pieces[3].text, "</s>");
  EXPECT_EQ(t5().decode(t5().encode("A  photo of <extra_id_7>  2 cats")), "A photo of 2 cats");
}

TEST(T5Tokenizer, SpecialTokensStandInTexts) {
  EXPECT_THAT(t5().encode("a</s>b"), ElementsAre(3, 9, 1, 3, 115, 1));
  EXPECT_THAT(t5().encode("<extra_id_0><extra_id_99>"), ElementsAre(32099, 32000, 1));
}

TEST(T5Tokenizer, AMarkWithinAWordBeginsAnother) {
  const T5Tokenizer tokenizer =
      small(test::piece("▁", -1) + test::piece("a", -1) + test::piece("▁a", -1));
  EXPECT_THAT(tokenizer.encode("a▁a a"), ElementsAre(5, 5, 5, 1));
  EXPECT_THAT(tokenizer.encode("▁a"), ElementsAre(5, 1));
  EXPECT_THAT(tokenizer.encode("▁▁a▁"), ElementsAre(3, 5, 3, 1));
}

TEST(T5Tokenizer, EitherFileWillDo) {
  const std::string spiece = test::spiece(test::piece("▁a", -1));
  const std::string json =
      R"({"model": {"unk_id": 0, "vocab": [["<unk>", 0], ["<pad>", 0], ["</s>", 0], ["▁a", -1]]}})";
  const T5Tokenizer of_spiece =
      T5Tokenizer::from_files({.spiece = spiece, .tokenizer_json = "not read"});
  const T5Tokenizer of_json = T5Tokenizer::from_files({.tokenizer_json = json});
  EXPECT_THAT(of_spiece.tokenize("a b", 5).ids, ElementsAre(3, 2, 1, 0, 0));
  EXPECT_THAT(of_json.tokenize("a b", 5).ids, ElementsAre(3, 0, 2, 1, 1));
  EXPECT_THAT(
      [] { T5Tokenizer::from_files({.origin = "folder"}); },
      ThrowsMessage<LoadError>(HasSubstr("folder: has neither spiece.model nor tokenizer.json")));
  EXPECT_THAT([] { T5Tokenizer::from_files({.spiece = "x", .origin = "folder"}); },
              ThrowsMessage<LoadError>(HasSubstr("folder: spiece.model: is damaged")));
}

TEST(T5Tokenizer, TakesBytesThatAreNoText) {
  EXPECT_EQ(t5().encode("a\xFF z"), t5().encode("a\uFFFD z"));
  EXPECT_THAT(t5().encode(std::string_view("a\0b", 3)), ElementsAre(3, 9, 2, 115, 1));
}

TEST(T5Tokenizer, LimitsTheText) {
  EXPECT_NO_THROW(t5().encode(std::string(kMaxPromptBytes, 'a')));
  EXPECT_THROW(t5().encode(std::string(kMaxPromptBytes + 1, 'a')), UsageError);
}

// The worst texts that the limit allows stay quick (30 ms each in a release build).
TEST(T5Tokenizer, LongTextsAreQuick) {
  t5();
  for (const auto* piece : {"a", "ab", "thequickbrownfox", "!", "<", "</s>", "<extra_id_1",
                            "\u0301", "a\u0323\u0307", "猫", " ", "▁", "ﷺ", "🇩"}) {
    const std::string text = repeated(piece, kMaxPromptBytes);
    const std::clock_t start = std::clock();  // of this process: the machine may be busy
    t5().encode(text);
    EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 1) << piece;
  }
}

}  // namespace
}  // namespace mezzo
