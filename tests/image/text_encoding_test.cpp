#include "image/text_encoding.h"

#include <gtest/gtest.h>

namespace mezzo {
namespace {

using namespace std::string_literals;

TEST(TextEncoding, Latin1BothWays) {
  EXPECT_EQ(utf8_to_latin1("caf\u00e9"), "caf\xE9");
  EXPECT_EQ(latin1_to_utf8("caf\xE9"), "caf\u00e9");
  EXPECT_FALSE(utf8_to_latin1("\u732b"));
}

TEST(TextEncoding, Utf16BothWays) {
  const std::string text = "a\u00e9\u732b\U0001F408";
  const std::string units = "\0a\0\xE9\x73\x2B\xD8\x3D\xDC\x08"s;
  EXPECT_EQ(utf8_to_utf16be(text), units);
  EXPECT_EQ(utf16_to_utf8(units, true), text);
  EXPECT_EQ(utf16_to_utf8("a\0\x2B\x73"s, false), "a\u732b");
}

TEST(TextEncoding, BadTextIsReplaced) {
  EXPECT_EQ(utf16_to_utf8("\xD8\x3D\0a"s, true), "\uFFFDa");  // half a pair
  EXPECT_EQ(utf16_to_utf8("\xDC\x08\xD8\x3D"s, true), "\uFFFD\uFFFD");
  EXPECT_EQ(utf16_to_utf8("\0a\0"s, true), "a");  // half a unit
  EXPECT_FALSE(is_utf8("a\xFF"));
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));  // a surrogate
  EXPECT_TRUE(is_utf8("\uFFFD\u732b"));
  EXPECT_EQ(to_valid_utf8("a\xFF\xE7\x8C"), "a\uFFFD\uFFFD\uFFFD");
}

}  // namespace
}  // namespace mezzo
