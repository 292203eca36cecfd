// A picture in memory: 8-bit samples, rows from the top, channels interleaved.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mezzo {

/// 8-bit picture, [height, width, channels] without padding. channels: 1 grey, 3 RGB, 4 RGBA.
struct Image {
  int width = 0;
  int height = 0;
  int channels = 3;
  std::vector<std::uint8_t> pixels;

  bool empty() const { return pixels.empty(); }
  std::size_t row_bytes() const {
    return static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  }
  const std::uint8_t* row(int y) const {
    return pixels.data() + static_cast<std::size_t>(y) * row_bytes();
  }
  std::uint8_t* row(int y) { return pixels.data() + static_cast<std::size_t>(y) * row_bytes(); }
};

/// Whether some pixel is not opaque.
bool has_transparency(const Image& image);

}  // namespace mezzo
