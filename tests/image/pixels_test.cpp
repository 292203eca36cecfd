#include "image/pixels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mezzo {
namespace {

using testing::ElementsAre;

TEST(Pixels, ToRgb) {
  EXPECT_THAT(to_rgb(Image{2, 1, 1, {7, 9}}).pixels, ElementsAre(7, 7, 7, 9, 9, 9));
  const Image rgba{2, 1, 4, {10, 20, 30, 0, 100, 50, 0, 128}};
  EXPECT_THAT(to_rgb(rgba).pixels, ElementsAre(10, 20, 30, 100, 50, 0));
  EXPECT_THAT(to_rgb(rgba, {255, 255, 255}).pixels, ElementsAre(255, 255, 255, 177, 152, 127));
  EXPECT_THAT(to_rgb(rgba, {0, 0, 0}).pixels, ElementsAre(0, 0, 0, 50, 25, 0));
}

TEST(Pixels, ToGrey) {
  const Image rgb{3, 1, 3, {255, 0, 0, 0, 255, 0, 0, 0, 255}};
  EXPECT_THAT(to_grey(rgb).pixels, ElementsAre(76, 150, 29));
}

// The pictures of the EXIF specification: where the stored row 0, column 0 is to be seen.
TEST(Pixels, UprightForEveryOrientation) {
  const Image stored{3, 2, 1, {1, 2, 3, 4, 5, 6}};
  const std::vector<std::uint8_t> expected[] = {
      {1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1}, {4, 5, 6, 1, 2, 3},
      {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3}, {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  for (int o = 1; o <= 8; ++o) {
    const Image seen = upright(stored, o);
    EXPECT_EQ(seen.width, o <= 4 ? 3 : 2) << o;
    EXPECT_EQ(seen.pixels, expected[o - 1]) << o;
  }
  EXPECT_EQ(upright(stored, 9).pixels, stored.pixels);
}

}  // namespace
}  // namespace mezzo
