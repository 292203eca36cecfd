#include "image/fit.h"

#include <gtest/gtest.h>

#include "image/formats.h"
#include "mezzotint/errors.h"

namespace mezzo {
namespace {

/// Every pixel tells its place.
Image places(int width, int height) {
  Image image = make_image(width, height, 1);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) image.row(y)[x] = static_cast<std::uint8_t>(16 * y + x);
  return image;
}

TEST(Fit, AnythingAtItsOwnSizeStaysAsItIs) {
  for (const Fit how : {Fit::kStretch, Fit::kCrop, Fit::kPad})
    EXPECT_EQ(fit(places(7, 5), 7, 5, how).pixels, places(7, 5).pixels);
}

TEST(Fit, StretchIsAPlainResize) {
  EXPECT_EQ(fit(places(8, 4), 6, 6, Fit::kStretch).pixels, resize(places(8, 4), 6, 6).pixels);
}

TEST(Fit, CropKeepsTheMiddle) {
  const Image out = fit(places(12, 4), 4, 4, Fit::kCrop, ResizeFilter::kNearest);
  ASSERT_EQ(out.width, 4);
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 4; ++x) EXPECT_EQ(out.row(y)[x], 16 * y + x + 4);
}

TEST(Fit, PadRepeatsTheEdges) {
  const Image out = fit(places(4, 2), 4, 6, Fit::kPad, ResizeFilter::kNearest);
  ASSERT_EQ(out.height, 6);
  for (int y = 0; y < 6; ++y)
    for (int x = 0; x < 4; ++x) EXPECT_EQ(out.row(y)[x], 16 * (y < 3 ? 0 : 1) + x) << x << y;
}

TEST(Fit, ExtremeShapesHaveAtLeastAPixel) {
  for (const Fit how : {Fit::kStretch, Fit::kCrop, Fit::kPad}) {
    EXPECT_EQ(fit(places(200, 1), 8, 64, how).height, 64);
    EXPECT_EQ(fit(places(1, 90), 64, 8, how).width, 64);
  }
}

TEST(Crop, CopiesAPart) {
  const Image out = crop(places(9, 9), {2, 3, 4, 5});
  EXPECT_EQ(out.row(0)[0], 16 * 3 + 2);
  EXPECT_EQ(out.row(4)[3], 16 * 7 + 5);
  const Rect outside{2, 0, 3, 1};
  EXPECT_THROW(crop(places(4, 4), outside), InternalError);
}

}  // namespace
}  // namespace mezzo
