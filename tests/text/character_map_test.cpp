#include "text/character_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "text/make_spiece.h"

namespace mezzo {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(CharacterMap, WithoutATableNothingChanges) {
  EXPECT_EQ(CharacterMap().apply("A\u0301 ①"), "A\u0301 ①");
  EXPECT_EQ(CharacterMap("", "file").apply("x"), "x");
}

TEST(CharacterMap, ReplacesGraphemesAndCharacters) {
  const CharacterMap map(
      test::character_table({{"\u00C5", "A!"}, {"A\u030A", "one"}, {"①", "1"}, {"\u200B", ""}}),
      "file");
  EXPECT_EQ(map.apply("x\u00C5y"), "xA!y");
  EXPECT_EQ(map.apply("A\u030A"), "one");
  EXPECT_EQ(map.apply("A"), "A") << "the beginning of an entry is none";
  EXPECT_EQ(map.apply("a\u200Bb"), "ab");
  EXPECT_EQ(map.apply("①②"), "1②");
  // A short grapheme is replaced as a whole by what it begins with; of a long one each character.
  EXPECT_EQ(map.apply("①\u0301"), "1");
  EXPECT_EQ(map.apply("①\u0301\u0301"), "1\u0301\u0301");
  EXPECT_EQ(map.apply("A\u030A\u0301\u0301"), "A\u030A\u0301\u0301");
}

TEST(CharacterMap, RefusesTablesThatContradictThemselves) {
  const auto build = [](const std::string& table) { CharacterMap(table, "file"); };
  const std::string good = test::character_table({{"a", "b"}});
  for (const std::string& table :
       {std::string("\1\0", 2), test::little_endian(0), test::little_endian(4),
        test::little_endian(3) + "abcd", test::little_endian(0xFFFFFFFC) + "abcd",
        good.substr(0, good.size() - 1) + "x"})
    EXPECT_THAT([&] { build(table); },
                ThrowsMessage<LoadError>(HasSubstr("file: the table of characters")));
  EXPECT_THAT(
      [&] {
        build(test::character_table({{"a", std::string(65, 'x')}}));
      },
      ThrowsMessage<LoadError>(HasSubstr("too much of one character")));
}

TEST(CharacterMap, LinksOutOfTheTableLeadNowhere) {
  const std::string text = "a\u00E9①\U0001F600";
  // Every cell of these tables continues and ends at the same far place.
  for (const std::uint32_t link : {0x00000100u, 0x000007FFu, 0x7FFFFF00u, 0xFFFFFFFFu, 0x00000400u})
    for (std::uint32_t byte : {0u, std::uint32_t{'a'}, 0xC3u}) {
      std::string table = test::little_endian(4 * 256);
      for (int i = 0; i < 256; ++i) table += test::little_endian((link & ~0xFFu) | byte);
      EXPECT_EQ(CharacterMap(table, "file").apply(text), text);
    }
}

}  // namespace
}  // namespace mezzo
