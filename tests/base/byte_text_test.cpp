#include "base/byte_text.h"

#include <gtest/gtest.h>

namespace mezzo {
namespace {

TEST(ByteText, IsDecimal) {
  EXPECT_EQ(byte_text(0), "0.0 MB");
  EXPECT_EQ(byte_text(31'460'000), "31.5 MB");
  EXPECT_EQ(byte_text(std::uint64_t{4} << 30), "4.29 GB");
}

}  // namespace
}  // namespace mezzo
