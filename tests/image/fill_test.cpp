#include "image/fill.h"

#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "image/formats.h"

namespace mezzo {
namespace {

/// Left half one colour, right half another.
Image halves(int side) {
  Image image = make_image(side, side, 3);
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < 3 * side; ++x) image.row(y)[x] = 3 * side / 2 > x ? 40 : 200;
  return image;
}

Image square_hole(int side, int from, int to) {
  Image mask = make_image(side, side, 1);
  std::ranges::fill(mask.pixels, std::uint8_t{0});
  for (int y = from; y < to; ++y) std::fill(mask.row(y) + from, mask.row(y) + to, 255);
  return mask;
}

TEST(Fill, WhatIsNoHoleStaysAndHolesTakeTheColoursAround) {
  Image image = halves(64);
  const Image mask = square_hole(64, 20, 44);
  for (int y = 20; y < 44; ++y) std::fill(image.row(y) + 60, image.row(y) + 132, 255);
  const Image out = fill_from_surroundings(image, mask), whole = halves(64);
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x) {
      const int v = out.row(y)[3 * x];
      if (mask.row(y)[x] == 0)
        ASSERT_EQ(v, whole.row(y)[3 * x]);
      else
        ASSERT_TRUE(v >= 40 && v <= 200) << v;
    }
  EXPECT_LT(out.row(32)[3 * 21], 80);   // near the dark half
  EXPECT_GT(out.row(32)[3 * 42], 160);  // near the light one
}

TEST(Fill, AnEvenColourStaysEven) {
  Image image = make_image(37, 21, 3);
  std::ranges::fill(image.pixels, std::uint8_t{77});
  Image mask = make_image(37, 21, 1);
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) mask.pixels[i] = i % 5 ? 255 : 0;
  EXPECT_EQ(fill_from_surroundings(image, mask).pixels, image.pixels);
}

TEST(Fill, WithoutSurroundingsNothingChanges) {
  const Image image = halves(8);
  EXPECT_EQ(fill_from_surroundings(image, square_hole(8, 0, 8)).pixels, image.pixels);
}

}  // namespace
}  // namespace mezzo
