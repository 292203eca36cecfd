#include "base/ascii.h"

#include <gtest/gtest.h>

namespace mezzo {
namespace {

TEST(Ascii, LettersBecomeSmallAndNothingElseChanges) {
  EXPECT_EQ(ascii_lower(std::string_view(".SafeTensors 09 @[`{")), ".safetensors 09 @[`{");
  EXPECT_EQ(ascii_lower(std::string_view("\xc3\x84 \xff")),
            "\xc3\x84 \xff");  // bytes of UTF-8, or none
  EXPECT_EQ(ascii_lower('Z'), 'z');
}

}  // namespace
}  // namespace mezzo
