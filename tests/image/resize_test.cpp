#include "image/resize.h"

#include <string>

#include <gtest/gtest.h>

#include "image/resize_filters.h"
#include "mezzotint/errors.h"

namespace mezzo {
namespace {

/// A picture of 7x5 with a value for every sample that differs from its neighbours.
Image pattern(int channels) {
  Image image{7, 5, channels, {}};
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      for (int c = 0; c < channels; ++c)
        image.pixels.push_back(
            static_cast<std::uint8_t>((x * 37 + y * 91 + c * 53 + x * y * c * 7) % 256));
  return image;
}

struct Recorded {
  int channels;
  std::string filter;
  int width, height;
  std::vector<std::uint8_t> pixels;
};

// Made with Pillow 13.0: Image.frombytes(...).resize((width, height), filter).
const Recorded kRecorded[] = {
    {1, "nearest", 3, 2, {128, 202, 20, 54, 128, 202}},
    {1, "nearest", 10, 3, {0,  37, 37,  74,  111, 111, 148, 185, 185, 222, 182, 219, 219, 0,  37,
                           37, 74, 111, 111, 148, 108, 145, 145, 182, 219, 219, 0,   37,  37, 74}},
    {1, "box", 3, 2, {110, 117, 124, 82, 131, 139}},
    {1, "box", 10, 3, {46, 83, 83,  120, 157, 157, 194, 103, 103, 140, 182, 219, 219, 0,   37,
                       37, 74, 111, 111, 148, 63,  100, 100, 137, 174, 174, 83,  120, 120, 157}},
    {1, "bilinear", 3, 2, {99, 129, 129, 106, 118, 128}},
    {1, "bilinear", 10, 3, {39,  59,  85,  111, 137, 163, 183, 132, 131, 151,
                            125, 145, 136, 62,  81,  107, 130, 116, 128, 148,
                            69,  89,  115, 141, 167, 142, 73,  99,  125, 145}},
    {1, "bicubic", 3, 2, {95, 130, 133, 110, 116, 126}},
    {1, "bicubic", 10, 3, {38,  57,  86,  112, 138, 168, 187, 125, 123, 150,
                           126, 155, 144, 56,  71,  109, 137, 115, 127, 150,
                           66,  85,  114, 140, 177, 144, 65,  97,  131, 150}},
    {1, "lanczos", 3, 2, {91, 128, 139, 115, 114, 123}},
    {1, "lanczos", 10, 3, {41,  59,  91,  115, 138, 175, 184, 119, 113, 146,
                           123, 161, 145, 57,  61,  119, 145, 116, 124, 152,
                           63,  81,  112, 136, 182, 138, 60,  93,  145, 157}},
    {4, "lanczos", 3, 2, {72,  114, 148, 161, 137, 111, 127, 128, 172, 140, 124, 96,
                          125, 108, 104, 110, 113, 145, 119, 168, 94,  138, 63,  129}},
};

TEST(Resize, IsThatOfPillow) {
  for (const Recorded& r : kRecorded) {
    SCOPED_TRACE(r.filter + " " + std::to_string(r.width) + " x" + std::to_string(r.channels));
    const Image out =
        resize(pattern(r.channels), r.width, r.height, test::kResizeFilters.at(r.filter));
    EXPECT_EQ(out.width, r.width);
    EXPECT_EQ(out.height, r.height);
    EXPECT_EQ(out.pixels, r.pixels);
  }
}

TEST(Resize, KeepsAFlatPictureFlat) {
  const Image flat{9, 4, 3, std::vector<std::uint8_t>(9 * 4 * 3, 201)};
  for (const auto& [name, filter] : test::kResizeFilters) {
    const Image out = resize(flat, 31, 1, filter);
    EXPECT_EQ(out.pixels, std::vector<std::uint8_t>(31 * 3, 201)) << name;
  }
}

TEST(Resize, RefusesSizesOutOfRange) {
  EXPECT_THROW(resize(pattern(3), 0, 5), UsageError);
  EXPECT_THROW(resize(pattern(3), 5, 16385), UsageError);
  EXPECT_THROW(resize(pattern(3), 16384, 16384), UsageError);
}

}  // namespace
}  // namespace mezzo
