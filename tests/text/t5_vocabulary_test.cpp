#include "text/t5_vocabulary.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/errors.h"

namespace mezzo {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(T5Vocabulary, BuiltInHasCanonicalIds) {
  const T5Vocabulary v = read_t5_spiece(built_in_t5_spiece(), "built in");
  ASSERT_EQ(v.pieces.size(), 32100u);
  EXPECT_EQ(v.pad, 0);
  EXPECT_EQ(v.end, 1);
  EXPECT_EQ(v.unknown, 2);
  for (const auto& [text, id] :
       {std::pair{"▁", 3}, {"▁cat", 1712}, {"<extra_id_99>", 32000}, {"<extra_id_0>", 32099}})
    EXPECT_EQ(v.pieces[static_cast<std::size_t>(id)].text, text);
  EXPECT_EQ(v.special.size(), 103u);
  EXPECT_EQ(v.characters.apply("ﬁ①　"), "fi1 ");
}

TEST(T5Vocabulary, RefusesPiecesThatNoneCanBe) {
  T5Vocabulary v;
  for (const std::string& text : {std::string(), std::string("\xFF"), std::string(257, 'a')})
    EXPECT_THAT([&] { v.add(text, 0, "file"); },
                ThrowsMessage<LoadError>(HasSubstr("file: piece 0")));
  for (const double score :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()})
    EXPECT_THAT([&] { v.add("a", score, "file"); },
                ThrowsMessage<LoadError>(HasSubstr("the score of piece 0")));
}

TEST(T5Vocabulary, RefusesWhatIsMissingOrTwice) {
  T5Vocabulary v;
  v.add("</s>", 0, "file");
  EXPECT_THAT([&] { v.finish("file"); }, ThrowsMessage<LoadError>(HasSubstr("has no <pad> token")));
  v.add("<pad>", 0, "file");
  v.finish("file");
  EXPECT_EQ(v.pad, 1);
  v.add("</s>", -1, "file");
  EXPECT_THAT([&] { v.finish("file"); },
              ThrowsMessage<LoadError>(HasSubstr("</s> is there twice")));
}

}  // namespace
}  // namespace mezzo
