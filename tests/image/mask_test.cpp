#include "image/mask.h"

#include <cmath>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/errors.h"

namespace mezzo {
namespace {

using testing::ElementsAre;

TEST(Mask, ComesFromGreyLevels) {
  const Image rgb{2, 1, 3, {255, 255, 255, 200, 100, 50}};
  EXPECT_THAT(mask_from_image(rgb).pixels, ElementsAre(255, 124));  // 0.299 R + 0.587 G + 0.114 B
  const Image opaque{1, 1, 4, {0, 0, 0, 255}};
  EXPECT_THAT(mask_from_image(opaque).pixels, ElementsAre(0));
}

TEST(Mask, ComesFromTransparencyWhereThereIsSome) {
  const Image rgba{4, 1, 4, {0, 0, 0, 255, 9, 9, 9, 129, 255, 255, 255, 128, 255, 255, 255, 0}};
  EXPECT_THAT(mask_from_image(rgba).pixels, ElementsAre(255, 255, 0, 0));
  EXPECT_THAT(mask_from_image(rgba, MaskConvention::kTransparentRepaints).pixels,
              ElementsAre(0, 0, 255, 255));
}

TEST(Mask, ThresholdAndInvert) {
  const Image levels{4, 1, 1, {0, 127, 128, 255}};
  EXPECT_THAT(threshold(levels).pixels, ElementsAre(0, 0, 255, 255));
  EXPECT_THAT(invert(levels).pixels, ElementsAre(255, 128, 127, 0));
  EXPECT_FALSE(is_blank(levels));
  EXPECT_TRUE(is_blank(Image{2, 1, 1, {0, 0}}));
}

TEST(Mask, LatentTakesTheFirstPixelOfEachCell) {
  Image mask{16, 16, 1, std::vector<std::uint8_t>(256)};
  mask.pixels[8 * 16 + 8] = 255;
  mask.pixels[7] = 255;
  EXPECT_THAT(mask_to_latent(mask, 2, 2).pixels, ElementsAre(0, 0, 0, 255));
}

Image with_box(int width, int height, int left, int top, int right, int bottom) {
  Image mask{width, height, 1,
             std::vector<std::uint8_t>(static_cast<std::size_t>(width) *
                                       static_cast<std::size_t>(height))};
  for (int y = top; y < bottom; ++y)
    for (int x = left; x < right; ++x) mask.row(y)[x] = 255;
  return mask;
}

TEST(Mask, FeatherRisesFromTheEdgeInwards) {
  const Image mask = with_box(60, 60, 20, 0, 60, 60);  // reaches three sides of the picture
  const Image out = feather(mask, 4);
  for (int x = 0; x < 60; ++x) {
    const double inside = x < 20 ? 0 : std::min((x - 20 + 0.5) / 4, 1.0);
    EXPECT_EQ(out.row(30)[x], std::lround(255 * inside)) << x;
    EXPECT_EQ(out.row(0)[x], out.row(30)[x]) << x;
  }
}

TEST(Mask, FeatherOfACornerRisesFromBothEdges) {
  const Image out = feather(with_box(60, 60, 20, 20, 60, 60), 8);
  EXPECT_EQ(out.row(24)[24], out.row(40)[24]);
  EXPECT_EQ(out.row(20)[20], out.row(40)[20]);  // as far from what is kept as the rest of the edge
  EXPECT_EQ(out.row(19)[20], 0);
}

TEST(Mask, FeatherIsTheDistanceToWhatIsKept) {
  Image mask = with_box(40, 30, 3, 2, 21, 25);
  for (int y = 10; y < 14; ++y)
    for (int x = 21; x < 40; ++x) mask.row(y)[x] = 1;  // an arm; any grey counts
  const double blur = 6;
  const Image out = feather(mask, blur);
  for (int y = 0; y < 30; ++y)
    for (int x = 0; x < 40; ++x) {
      double nearest = 1e9;
      for (int v = 0; v < 30; ++v)
        for (int u = 0; u < 40; ++u)
          if (mask.row(v)[u] == 0) nearest = std::min(nearest, std::hypot(u - x, v - y));
      const double share = std::clamp((nearest - 0.5) / blur, 0.0, 1.0);
      ASSERT_EQ(out.row(y)[x], std::lround(255 * share)) << x << ' ' << y;
    }
}

TEST(Mask, FeatherOfNothingIsTheMask) {
  const Image all = with_box(7, 5, 0, 0, 7, 5);
  EXPECT_EQ(feather(all, 256).pixels, all.pixels);
  const Image m{3, 1, 1, {5, 0, 255}};
  EXPECT_THAT(feather(m, 0).pixels, ElementsAre(255, 0, 255));
  EXPECT_THROW(feather(m, -1), UsageError);
  EXPECT_THROW(feather(m, 1e9), UsageError);
  EXPECT_THROW(feather(m, std::nan("")), UsageError);
}

}  // namespace
}  // namespace mezzo
