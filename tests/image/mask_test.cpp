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

// A point becomes the kernel: samples of the bell curve, cut at int(2.5 sigma + 0.5), summing to 1.
TEST(Mask, BlurOfAPointIsTheKernel) {
  const double sigma = 2;
  const int radius = 5;
  Image mask{31, 31, 1, std::vector<std::uint8_t>(31 * 31)};
  for (int y = 0; y < 31; ++y) mask.row(y)[15] = 255;  // a line: one direction at a time
  double sum = 0;
  for (int i = -radius; i <= radius; ++i) sum += std::exp(-i * i / (2 * sigma * sigma));
  const Image out = blur(mask, sigma);
  for (int i = -15; i <= 15; ++i) {
    const double k = std::abs(i) <= radius ? std::exp(-i * i / (2 * sigma * sigma)) / sum : 0;
    EXPECT_EQ(out.row(15)[15 + i], std::lround(255 * k)) << i;
  }
}

TEST(Mask, BlurMirrorsAtTheEdges) {
  const Image flat{3, 1, 1, {90, 90, 90}};
  EXPECT_EQ(blur(flat, 40).pixels, flat.pixels);
  // Sigma 0.4: kernel of three samples. Beyond the left edge stands the second sample, not the
  // first again.
  const Image edge{3, 1, 1, {0, 200, 0}};
  const double side = std::exp(-1 / (2 * 0.16)), total = 1 + 2 * side;
  EXPECT_THAT(blur(edge, 0.4).pixels,
              ElementsAre(std::lround(400 * side / total), std::lround(200 / total),
                          std::lround(400 * side / total)));
}

TEST(Mask, BlurRefusesBadSigma) {
  const Image m{1, 1, 1, {5}};
  EXPECT_EQ(blur(m, 0).pixels, m.pixels);
  EXPECT_THROW(blur(m, -1), UsageError);
  EXPECT_THROW(blur(m, 1e9), UsageError);
  EXPECT_THROW(blur(m, std::nan("")), UsageError);
}

}  // namespace
}  // namespace mezzo
