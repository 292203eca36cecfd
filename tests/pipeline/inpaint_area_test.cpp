#include "pipeline/inpaint_area.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "image/formats.h"
#include "image/mask.h"

namespace mezzo {
namespace {

const ModelDefaults kModel = [] {
  ModelDefaults d;
  d.width = d.height = 64;
  return d;
}();

Image even(int width, int height, int channels, std::uint8_t value) {
  Image image = make_image(width, height, channels);
  std::fill(image.pixels.begin(), image.pixels.end(), value);
  return image;
}

GenerateParams request(int width, int height, const Rect& hole) {
  GenerateParams p{.prompts = {"a cat"}};
  p.init = even(width, height, 3, 50);
  p.mask = even(width, height, 1, 0);
  for (int y = hole.y; y < hole.y + hole.height; ++y)
    std::fill_n(p.mask->row(y) + hole.x, hole.width, std::uint8_t{255});
  p.only_masked = true;
  p.mask_padding = 10;
  return p;
}

TEST(InpaintArea, IsThePaddedMaskInTheShapeOfTheRequest) {
  auto p = request(400, 300, {100, 120, 40, 20});
  const auto area = cut_area(p, kModel);
  ASSERT_TRUE(area);
  EXPECT_EQ(p.width, 64);
  EXPECT_EQ(area->box.width, 60);  // 40 and twice 10
  EXPECT_EQ(area->box.height, 60);
  EXPECT_EQ(area->box.x, 90);
  EXPECT_EQ(area->box.y, 100);
  EXPECT_EQ(p.init->width, 60);
  EXPECT_EQ(p.mask->height, 60);
}

TEST(InpaintArea, StaysInsideThePicture) {
  auto corner = request(400, 300, {390, 0, 10, 10});
  auto area = cut_area(corner, kModel);
  EXPECT_EQ(area->box.x + area->box.width, 400);
  EXPECT_EQ(area->box.y, 0);
  auto all = request(100, 40, {0, 0, 100, 40});
  area = cut_area(all, kModel);
  EXPECT_EQ(area->box.width, 100);
  EXPECT_EQ(area->box.height, 40);
}

TEST(InpaintArea, ThatCannotTakeTheShapeIsStretchedNotCropped) {
  auto p = request(512, 512, {10, 56, 480, 400});
  p.width = 768, p.height = 512;
  p.fit = "crop";
  const auto area = cut_area(p, kModel);
  EXPECT_EQ(area->box.width, 512);
  EXPECT_EQ(area->box.height, 420);
  const auto r = resolve(p, kModel);  // its top row comes from the box's top row
  EXPECT_EQ(r.init->width, 768);
  EXPECT_EQ(p.fit, "stretch");
}

TEST(InpaintArea, IsPutBackWhereItWas) {
  auto p = request(80, 80, {40, 40, 8, 8});
  const auto area = cut_area(p, kModel);
  const Image out = put_back(*area, even(64, 64, 3, 200));
  const Image kept = keep_unmasked(out, area->whole, feather(area->mask, 0));
  for (int y = 0; y < 80; ++y)
    for (int x = 0; x < 80; ++x) {
      const auto& b = area->box;
      const bool in_box = x >= b.x && x < b.x + b.width && y >= b.y && y < b.y + b.height;
      const bool in_mask = x >= 40 && x < 48 && y >= 40 && y < 48;
      ASSERT_EQ(out.row(y)[3 * x], in_box ? 200 : 50);
      ASSERT_EQ(kept.row(y)[3 * x], in_mask ? 200 : 50);
    }
}

TEST(InpaintArea, JoinsTheRestInsideTheMask) {
  Image mask = even(40, 1, 1, 0);
  for (int x = 20; x < 40; ++x) mask.row(0)[x] = 255;
  const Image kept = keep_unmasked(even(40, 1, 3, 200), even(40, 1, 3, 100), feather(mask, 10));
  for (int x = 0; x < 40; ++x)
    EXPECT_NEAR(kept.row(0)[3 * x], 100 + 100 * std::clamp((x - 19.5) / 10, 0.0, 1.0), 1) << x;
}

TEST(InpaintArea, NeedsAMaskAndTheWish) {
  auto p = request(80, 80, {40, 40, 8, 8});
  p.only_masked = false;
  EXPECT_FALSE(cut_area(p, kModel));
  auto blank = request(80, 80, {0, 0, 0, 0});
  EXPECT_FALSE(cut_area(blank, kModel));
  EXPECT_EQ(blank.init->width, 80);
  auto no_mask = request(80, 80, {40, 40, 8, 8});
  no_mask.mask.reset();
  EXPECT_FALSE(cut_area(no_mask, kModel));
}

}  // namespace
}  // namespace mezzo
