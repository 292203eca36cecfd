// The rows that a product multiplies with panels, a line of equally distant pixels at a time. They
// are read where they lie or, for convolutions and for operands of fewer bits, from a copy in words
// with zeros around each picture, of which there is a band at a time: each tap of the kernel is
// then the same rows some words further on.
#pragma once

#include <vector>

#include "backend/cpu/product.h"

namespace mezzo {

/// How a call's results are cut into lines and bands; by shapes alone.
class Lines {
 public:
  explicit Lines(const ProductCall& call);

  /// Results in an image's line `line` and words from one to the next.
  std::int64_t pixels(std::int64_t line) const;
  std::int64_t stride() const { return stride_; }
  std::int64_t count() const { return images_ * in_image_; }
  /// Where line `line` of all images begins: the image, and the pixel of its result.
  std::int64_t image(std::int64_t line) const { return line / in_image_; }
  std::int64_t pixel(std::int64_t line) const { return line % in_image_ * pixels_; }
  /// Lines of the band that begins here: whole images, or a part of one.
  std::int64_t band(std::int64_t line) const;
  /// Bytes of the copy of the largest band.
  std::size_t copy_bytes() const;

 private:
  friend class LeftOperand;
  std::int64_t copied_lines(std::int64_t lines) const;

  const ProductCall& call_;
  std::int64_t images_, in_image_, pixels_, last_pixels_;  // lines of an image, pixels of a line
  std::int64_t stride_, words_, band_;                     // words_: of a pixel
  std::int64_t padded_ = 0,
               step_ = 1;  // pixels of a copied line, lines from one result to the next
  bool copies_, pads_;
};

class LeftOperand {
 public:
  LeftOperand(const ProductCall& call, const Lines& lines, std::byte* copy)
      : call_(call), l_(lines), copy_(reinterpret_cast<std::uint32_t*>(copy)) {}

  /// Makes the copy of the lines first, ..., first + count - 1, if there is one.
  void prepare(std::int64_t first, std::int64_t count);
  /// The first word of a pixel of a line of the band.
  const void* at(std::int64_t line, std::int64_t pixel) const;
  /// Words from tap 0 to another.
  std::int64_t tap(std::int64_t index) const;
  /// Factors of integer rows, from a pixel of a line on.
  const float* scales(std::int64_t line, std::int64_t pixel) const {
    return scales_.data() + (line - first_) * l_.pixels_ + pixel;
  }

 private:
  void convert(const float* x, std::int64_t pixels, std::uint32_t* out, float* scales) const;

  const ProductCall& call_;
  const Lines& l_;
  std::uint32_t* copy_;
  std::vector<float> scales_;
  std::int64_t first_ = 0;
};

}  // namespace mezzo
