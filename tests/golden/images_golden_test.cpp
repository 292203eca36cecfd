// Every file of goldens/images: decoded to the recorded pixels and texts, or refused; and Pillow's
// resampling.
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "image/codec.h"
#include "image/mask.h"
#include "image/pixels.h"
#include "image/resize.h"
#include "image/resize_filters.h"
#include "mezzotint/errors.h"
#include "support/goldens.h"
#include "support/safetensors_file.h"

namespace mezzo {
namespace {

using nlohmann::json;

/// The uint8 pictures of a safetensors file ([H, W] or [H, W, C]), by name.
std::map<std::string, Image> recorded(const fs::path& path) {
  const test::SafetensorsFile file(path);
  std::map<std::string, Image> images;
  for (const auto& name : file.names()) {
    if (file.dtype(name) != "U8") continue;
    const auto shape = file.shape(name);
    images[name] = {static_cast<int>(shape.at(1)), static_cast<int>(shape.at(0)),
                    shape.size() > 2 ? static_cast<int>(shape[2]) : 1, file.bytes(name)};
  }
  return images;
}

int max_difference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height || a.channels != b.channels) return 256;
  int worst = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    worst = std::max(worst, std::abs(a.pixels[i] - b.pixels[i]));
  return worst;
}

Image rgba(const Image& image) {
  Image out{image.width, image.height, 4, {}};
  const Image rgb = to_rgb(image);
  for (std::size_t i = 0; i < rgb.pixels.size() / 3; ++i) {
    out.pixels.insert(out.pixels.end(), &rgb.pixels[3 * i], &rgb.pixels[3 * i] + 3);
    out.pixels.push_back(image.channels == 4 ? image.pixels[4 * i + 3] : 255);
  }
  return out;
}

/// What a recorded array says of the decoded picture; nothing for arrays that say it of another
/// reading.
struct Reading {
  std::string kind;
  std::optional<Image> (*of)(const Image& decoded, const Image& expected);
  int tolerance;
};
const Reading kReadings[] = {
    {"rgb", [](const Image& d, const Image&) { return std::optional(to_rgb(d)); }, 0},
    {"rgba", [](const Image& d, const Image&) { return std::optional(rgba(d)); }, 0},
    {"rgb_round", [](const Image& d, const Image&) { return std::optional(to_rgb(d)); }, 0},
    {"over_white",
     [](const Image& d, const Image&) {
       return std::optional(to_rgb(d, {255, 255, 255}));
     },
     1},
    {"over_black",
     [](const Image& d, const Image&) {
       return std::optional(to_rgb(d, {0, 0, 0}));
     },
     1},
    {"binary",
     [](const Image& d, const Image&) {
       Image m = threshold(mask_from_image(d));
       for (auto& v : m.pixels) v = v != 0;
       return std::optional(m);
     },
     0},
    {"latent_nearest",
     [](const Image& d, const Image& e) {
       Image m = mask_to_latent(threshold(mask_from_image(d)), e.width, e.height);
       for (auto& v : m.pixels) v = v != 0;
       return std::optional(m);
     },
     0},
    {"rgb_high", [](const Image&, const Image&) { return std::optional<Image>(); },
     0},  // rgb_round is what we read
};

void check_accepted(const fs::path& file, const json& row,
                    const std::map<std::string, Image>& expected) {
  const DecodedImage decoded = read_image(file);
  if (row.contains("parameters")) {
    EXPECT_EQ(decoded.metadata.parameters, row["parameters"].get<std::string>());
  }
  for (const auto& kind : row.value("expected", json::array())) {
    const auto found =
        expected.find(row["file"].get<std::string>() + "." + kind.get<std::string>());
    if (found == expected.end()) continue;  // not 8-bit samples
    const auto* reading = std::ranges::find(kReadings, kind.get<std::string>(), &Reading::kind);
    ASSERT_NE(reading, std::end(kReadings)) << "no reading for " << kind;
    const auto image = reading->of(decoded.image, found->second);
    if (!image) continue;
    EXPECT_LE(max_difference(*image, found->second),
              std::max(reading->tolerance, row.value("max_level_diff", 0)))
        << kind;
  }
}

TEST(ImagesGolden, EveryFileIsReadOrRefused) {
  std::map<std::string, int> counts;
  for (const auto& root : test::golden_paths("images")) {
    const auto expected = recorded(root / "expected.safetensors");
    for (const json& row : json::parse(read_text_file(root / "index.json"))) {
      const fs::path file = root / row.at("file").get<std::string>();
      SCOPED_TRACE(file.string());
      const std::string must = row.at("must").get<std::string>();
      ++counts[must];
      try {
        check_accepted(file, row, expected);
        EXPECT_NE(must, "reject") << "was accepted";
      } catch (const UsageError& e) {
        EXPECT_NE(must, "accept") << e.what();
        EXPECT_NE(std::string(e.what()).find(file.filename().string()), std::string::npos)
            << e.what();
      }
    }
  }
  if (counts.empty()) GTEST_SKIP() << "no image goldens on this machine";
  std::printf("%d accepted, %d refused, %d either\n", counts["accept"], counts["reject"],
              counts["any"]);
#ifndef __SANITIZE_ADDRESS__
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 64 * 1024) << "kB at the peak";
  std::printf("%ld kB at the peak\n", usage.ru_maxrss);
#endif
}

TEST(ImagesGolden, ResizesAsPillow) {
  int cases = 0, exact = 0;
  for (const auto& root : test::golden_paths("images")) {
    for (const auto& [name, expected] : recorded(root / "expected.safetensors")) {
      if (!name.starts_with("resize.")) continue;  // resize.FILE.FILTER.WxH
      SCOPED_TRACE(name);
      const auto size_at = name.rfind('.');
      const auto filter_at = name.rfind('.', size_at - 1);
      const auto filter =
          test::kResizeFilters.find(name.substr(filter_at + 1, size_at - filter_at - 1));
      ASSERT_NE(filter, test::kResizeFilters.end());
      const Image source = read_image(root / name.substr(7, filter_at - 7)).image;
      const int difference =
          max_difference(resize(source, expected.width, expected.height, filter->second), expected);
      EXPECT_LE(difference, 1);
      exact += difference == 0;
      ++cases;
    }
  }
  if (cases == 0) GTEST_SKIP() << "no image goldens on this machine";
  std::printf("%d resized, %d exact\n", cases, exact);
}

}  // namespace
}  // namespace mezzo
