#include "text/unicode.h"

#include <gtest/gtest.h>

namespace mezzo {
namespace {

TEST(Unicode, Classes) {
  for (const char32_t c : {U'a', U'Z', U'é', U'猫', U'ª', U'ǅ', U'ー'})
    EXPECT_TRUE(is_letter(c)) << static_cast<unsigned>(c);
  for (const char32_t c : {U'7', U'²', U'½', U'Ⅻ', U'٣'})
    EXPECT_TRUE(is_number(c)) << static_cast<unsigned>(c);
  for (const char32_t c : {U' ', U'\n', U'\u0085', U'\u00A0', U'\u1680', U'\u2028', U'\u3000'})
    EXPECT_TRUE(is_space(c)) << static_cast<unsigned>(c);
  for (const char32_t c : {U'_', U'\'', U'\u0301', U'\u200B', U'\uFEFF', U'\u001C', U'🐈'}) {
    EXPECT_FALSE(is_letter(c) || is_number(c) || is_space(c)) << static_cast<unsigned>(c);
  }
}

TEST(Unicode, Graphemes) {
  EXPECT_EQ(grapheme_end("ab", 0), 1u);
  EXPECT_EQ(grapheme_end("e\u0301\u0302x", 0), 5u);
  EXPECT_EQ(grapheme_end("x\r\ny", 1), 3u);
  EXPECT_EQ(grapheme_end("🇩🇪🇫🇷", 0), 8u);
  EXPECT_EQ(grapheme_end("👩\u200D🚀!", 0), 11u);
  EXPECT_EQ(grapheme_end("한국", 0), 3u);
  EXPECT_EQ(grapheme_end("\u1112\u1161\u11ab", 0), 9u);
}

TEST(Unicode, Nfc) {
  EXPECT_EQ(to_nfc("cafe\u0301"), "caf\u00e9");
  EXPECT_EQ(to_nfc("\u1112\u1161\u11ab"), "\ud55c");
  EXPECT_EQ(to_nfc("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(to_nfc(""), "");
  EXPECT_EQ(to_nfc(std::string_view("a\0b", 3)), std::string_view("a\0b", 3));
}

TEST(Unicode, LowerIsCharacterByCharacter) {
  EXPECT_EQ(to_lower("ÀΣ ΣΑΣ"), "àσ σασ");
  EXPECT_EQ(to_lower("İ"), "i\u0307");
  EXPECT_EQ(to_lower("ẞ"), "ß");
}

}  // namespace
}  // namespace mezzo
