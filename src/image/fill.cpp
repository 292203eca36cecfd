#include "image/fill.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"

namespace mezzo {
namespace {

constexpr std::size_t kColours = 3;

/// Weighted colours: {r, g, b, weight}; a hole has no weight.
struct Level {
  int width = 0, height = 0;
  std::vector<std::array<float, kColours + 1>> pixels;

  std::array<float, kColours + 1>& at(int x, int y) {
    return pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                  static_cast<std::size_t>(x)];
  }
};

Level level(int width, int height) {
  Level l{width, height, {}};
  l.pixels.assign(static_cast<std::size_t>(width) * static_cast<std::size_t>(height), {});
  return l;
}

/// Half the size: the mean of the up to four pixels that are known.
Level pushed(Level& fine) {
  Level coarse = level((fine.width + 1) / 2, (fine.height + 1) / 2);
  for (int y = 0; y < fine.height; ++y)
    for (int x = 0; x < fine.width; ++x)
      for (std::size_t c = 0; c <= kColours; ++c)
        coarse.at(x / 2, y / 2)[c] += fine.at(x, y)[c] * (c < kColours ? fine.at(x, y).back() : 1);
  for (auto& p : coarse.pixels) {
    if (p.back() <= 0) continue;
    for (std::size_t c = 0; c < kColours; ++c) p[c] /= p.back();
    p.back() = 1;
  }
  return coarse;
}

/// Holes take the coarse level's colours, blended between its four nearest pixels.
void pull(Level& coarse, Level& fine) {
  const auto neighbour = [](int i, int n) {
    return std::clamp(i % 2 ? i / 2 + 1 : i / 2 - 1, 0, n);
  };
  for (int y = 0; y < fine.height; ++y)
    for (int x = 0; x < fine.width; ++x) {
      auto& p = fine.at(x, y);
      if (p.back() > 0) continue;
      const int nx = neighbour(x, coarse.width - 1), ny = neighbour(y, coarse.height - 1);
      for (std::size_t c = 0; c < kColours; ++c)
        p[c] = (9 * coarse.at(x / 2, y / 2)[c] + 3 * coarse.at(nx, y / 2)[c] +
                3 * coarse.at(x / 2, ny)[c] + coarse.at(nx, ny)[c]) /
               16;
      p.back() = 1;
    }
}

}  // namespace

Image fill_from_surroundings(const Image& rgb, const Image& mask) {
  check(rgb.channels == 3 && mask.channels == 1 && rgb.width == mask.width &&
            rgb.height == mask.height,
        "holes are filled in RGB pictures by masks of their size");
  const auto is_hole = [](std::uint8_t v) { return v >= 128; };
  if (rgb.empty() || std::ranges::all_of(mask.pixels, is_hole)) return rgb;
  std::vector<Level> levels = {level(rgb.width, rgb.height)};
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
    if (is_hole(mask.pixels[i])) continue;
    for (std::size_t c = 0; c < kColours; ++c)
      levels[0].pixels[i][c] = rgb.pixels[kColours * i + c];
    levels[0].pixels[i].back() = 1;
  }
  while (levels.back().width > 1 || levels.back().height > 1)
    levels.push_back(pushed(levels.back()));
  for (std::size_t i = levels.size() - 1; i > 0; --i) pull(levels[i], levels[i - 1]);
  Image out = rgb;
  for (std::size_t i = 0; i < mask.pixels.size(); ++i)
    for (std::size_t c = 0; c < kColours; ++c)
      if (is_hole(mask.pixels[i]))
        out.pixels[kColours * i + c] =
            static_cast<std::uint8_t>(std::clamp(levels[0].pixels[i][c] + 0.5f, 0.0f, 255.0f));
  return out;
}

}  // namespace mezzo
