#include "base/utf8.h"

#include <gtest/gtest.h>

namespace mezzo {
namespace {

using namespace std::string_literals;

TEST(Utf8, EveryCharacterSurvives) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string s;
    append_utf8(s, c);
    std::size_t pos = 0;
    ASSERT_EQ(next_character(s, pos), c);
    ASSERT_EQ(pos, s.size());
    ASSERT_TRUE(is_utf8(s));
  }
}

TEST(Utf8, EveryBadByteIsReplaced) {
  const std::string bad[] = {"\x80"s,
                             "\xC0\xAF"s,
                             "\xE0\x80\xAF"s,
                             "\xED\xA0\x80"s,
                             "\xF4\x90\x80\x80"s,
                             "\xF8\x88\x80\x80"s,
                             "\xE7\x8C"s,
                             "\xFF"s,
                             "\xF0\x9F\x90"s};
  for (const auto& b : bad) {
    EXPECT_FALSE(is_utf8(b));
    std::string expected = "a";
    for (std::size_t i = 0; i < b.size(); ++i) expected += "\uFFFD";
    EXPECT_EQ(to_valid_utf8("a" + b + "z"), expected + "z");
  }
  EXPECT_TRUE(is_utf8("\uFFFD"));
}

TEST(Utf8, PlainTextHasNoControlCharacters) {
  for (const auto* text : {"", "words\r\n\tmore", "caf\u00e9", "caf\xE9"})
    EXPECT_TRUE(is_plain_text(text)) << text;
  EXPECT_FALSE(is_plain_text("\x01"));
  EXPECT_FALSE(is_plain_text({"a\0b", 3}));
}

}  // namespace
}  // namespace mezzo
