#include "base/base64.h"

#include <gtest/gtest.h>

namespace mezzo {
namespace {

TEST(Base64, Decodes) {
  // RFC 4648, section 10.
  EXPECT_EQ(from_base64(""), "");
  EXPECT_EQ(from_base64("Zg=="), "f");
  EXPECT_EQ(from_base64("Zm8="), "fo");
  EXPECT_EQ(from_base64("Zm9v"), "foo");
  EXPECT_EQ(from_base64("Zm9vYmFy"), "foobar");
  EXPECT_EQ(from_base64("AP+/"), std::string("\0\xFF\xBF", 3));
}

TEST(Base64, RefusesOtherText) {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zg=a", "====", "Z===", "Zm9v!", "Zm9v\n", "Zm 9", "=Zm9"})
    EXPECT_FALSE(from_base64(text)) << text;
}

}  // namespace
}  // namespace mezzo
