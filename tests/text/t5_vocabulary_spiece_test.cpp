#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/errors.h"
#include "text/make_spiece.h"
#include "text/t5_vocabulary.h"

namespace mezzo {
namespace {

using testing::HasSubstr;

std::string message(std::string_view bytes) {
  try {
    read_t5_spiece(bytes, "file");
  } catch (const LoadError& e) {
    return e.what();
  }
  return "";
}

TEST(T5VocabularySpiece, ReadsPiecesScoresAndTable) {
  const T5Vocabulary v =
      read_t5_spiece(test::spiece(test::piece("▁", -2) + test::piece("a", -3.5f),
                                  test::bytes_field(2, test::character_table({{"A", "a"}})) +
                                      test::number_field(3, 1),
                                  test::number_field(4, 5)),
                     "file");
  ASSERT_EQ(v.pieces.size(), 105u);
  EXPECT_EQ(v.pieces[4].text, "a");
  EXPECT_EQ(v.pieces[4].score, -3.5);
  EXPECT_EQ(v.pieces[5].text, "<extra_id_99>");
  EXPECT_EQ(v.special.size(), 103u);
  EXPECT_EQ(v.characters.apply("A"), "a");
}

TEST(T5VocabularySpiece, ScoreAndTypeMayBeLeftOut) {
  const T5Vocabulary v =
      read_t5_spiece(test::spiece(test::bytes_field(1, test::bytes_field(1, "a"))), "file");
  EXPECT_EQ(v.pieces[3].text, "a");
  EXPECT_EQ(v.pieces[3].score, 0);
}

TEST(T5VocabularySpiece, SentinelsOfTheFileStay) {
  EXPECT_EQ(read_t5_spiece(test::spiece(test::piece("<extra_id_0>", 0)), "file").pieces.size(), 4u);
}

TEST(T5VocabularySpiece, RefusesOtherKindsOfModels) {
  EXPECT_THAT(message(test::spiece("", "", test::number_field(3, 2))),
              HasSubstr("model_type (1 is unigram) is 2"));
  EXPECT_THAT(message(test::spiece("", "", test::number_field(35, 1))),
              HasSubstr("byte_fallback is 1"));
  EXPECT_THAT(message(test::spiece("", "", test::number_field(24, 1))),
              HasSubstr("treat_whitespace_as_suffix"));
  for (const std::uint32_t field : {3u, 4u, 5u})
    EXPECT_THAT(message(test::spiece("", test::number_field(field, 0))),
                HasSubstr("is 0, which no tokenizer of T5"));
}

TEST(T5VocabularySpiece, RefusesDamagedModels) {
  EXPECT_THAT(message(""), HasSubstr("no unknown piece"));
  EXPECT_THAT(message(test::piece("a", 1)), HasSubstr("no unknown piece"));
  EXPECT_THAT(message(test::spiece(test::piece("?", 1, test::kUnknown))),
              HasSubstr("two unknown pieces"));
  EXPECT_THAT(message(test::piece("<unk>", 0, test::kUnknown)), HasSubstr("no </s> token"));
  EXPECT_THAT(message(test::spiece(test::piece("a", 0) + test::piece("a", 1))),
              HasSubstr("is there twice"));
  EXPECT_THAT(message(test::spiece(test::piece("", 0))), HasSubstr("piece 3 is not a text"));
  EXPECT_THAT(message(test::spiece(test::piece("a", std::numeric_limits<float>::quiet_NaN()))),
              HasSubstr("score of piece 3"));
  EXPECT_THAT(message(test::spiece(test::number_field(1, 7))), HasSubstr("another type"));
  EXPECT_THAT(message(test::spiece("", test::bytes_field(2, "abc"))),
              HasSubstr("the table of characters"));
  EXPECT_THAT(message("{\"version\": \"1.0\"}"), HasSubstr("file: "));
}

TEST(T5VocabularySpiece, EveryCutOfAModelIsReadOrRefused) {
  const std::string whole = test::spiece(test::piece("▁a", -2),
                                         test::bytes_field(2, test::character_table({{"A", "a"}})));
  int refused = 0;
  for (std::size_t n = 0; n < 200; ++n) refused += !message(whole.substr(0, n)).empty();
  EXPECT_GT(refused, 150);
  for (std::size_t n = whole.size() - 40; n < whole.size(); ++n)
    EXPECT_THAT(message(whole.substr(0, n)), HasSubstr("ends within a field")) << n;
}

}  // namespace
}  // namespace mezzo
