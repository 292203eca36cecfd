#include "base/checked.h"

#include <array>

#include <gtest/gtest.h>

namespace mezzo {
namespace {

TEST(Checked, ProductsThatOverflowAreRefused) {
  EXPECT_EQ(checked_mul<std::int64_t>(3, 5), 15);
  EXPECT_FALSE(checked_mul<std::int64_t>(std::int64_t{1} << 62, 2));
  EXPECT_FALSE(checked_add<std::int64_t>(INT64_MAX, 1));
}

TEST(Checked, ProductOfDimensions) {
  const std::array<std::int64_t, 3> good = {2, 3, 4}, negative = {2, -1, 4},
                                    huge = {1ll << 32, 1ll << 32, 1};
  // A zero does not hide that the other dimensions overflow.
  const std::array<std::int64_t, 3> empty = {0, 5, 7}, hidden = {0, 1ll << 40, 1ll << 40};
  EXPECT_EQ(checked_product(good), 24);
  EXPECT_FALSE(checked_product(negative));
  EXPECT_FALSE(checked_product(huge));
  EXPECT_EQ(checked_product(empty), 0);
  EXPECT_FALSE(checked_product(hidden));
}

TEST(Checked, Narrowing) {
  EXPECT_EQ(narrow<std::int8_t>(100), 100);
  EXPECT_THROW(narrow<std::int8_t>(200), InternalError);
}

TEST(Checked, Rounding) {
  EXPECT_EQ(ceil_div(7, 3), 3);
  EXPECT_EQ(round_up(64, 64), 64);
  EXPECT_EQ(round_up(65, 64), 128);
}

}  // namespace
}  // namespace mezzo
