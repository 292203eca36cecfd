// The rows that a product multiplies with panels, a line of equally distant pixels at a time. They
// are read where they lie or, for convolutions and for operands of fewer bits, from a copy in words
// with zeros around it: each tap of the kernel is then the same rows some words further on. Lines
// are copied in groups, of which a band is there at a time.
#pragma once

#include <functional>
#include <vector>

#include "backend/cpu/input_pixels.h"

namespace mezzo {

/// How a call's results are cut into lines, groups and bands; by shapes alone.
class Lines {
 public:
  explicit Lines(const ProductCall& call);

  std::int64_t count() const { return images_ * in_image_; }
  /// Results in a line, and words from one to the next.
  std::int64_t pixels(std::int64_t line) const;
  std::int64_t stride() const { return words_ * step_; }
  /// Where a line begins: the image, and the pixel of its result.
  std::int64_t image(std::int64_t line) const { return line / in_image_; }
  std::int64_t pixel(std::int64_t line) const { return line % in_image_ * pixels_; }
  /// Lines of the band that begins here: whole groups.
  std::int64_t band(std::int64_t line) const;
  /// Bytes of the copy of the largest band, and of what a thread needs to make it.
  std::size_t copy_bytes() const;
  std::size_t space_bytes() const;

 private:
  friend class LeftOperand;
  std::int64_t groups_of_image() const { return ceil_div(in_image_, group_); }
  /// Of all images; a group never holds lines of two.
  std::int64_t group(std::int64_t line) const {
    return line / in_image_ * groups_of_image() + line % in_image_ / group_;
  }
  std::int64_t first_line(std::int64_t group) const {
    return group / groups_of_image() * in_image_ + group % groups_of_image() * group_;
  }

  std::int64_t images_, in_image_, pixels_, last_pixels_;  // lines of an image, pixels of a line
  std::int64_t words_;                                     // of a pixel
  std::int64_t padded_, step_;  // pixels of a copied line, copied lines from one result to the next
  std::int64_t group_, copied_lines_, band_;  // lines of a group, as copied; groups of a band
  std::int64_t made_;                         // values that are made at a time
  bool copies_, pads_;
};

class LeftOperand {
 public:
  LeftOperand(const ProductCall& call, const Lines& lines, std::byte* copy);

  /// A thread's part of the scratch.
  using Space = std::function<float*(int thread)>;
  /// Makes the copy of the lines first, ..., first + count - 1, a band, if there is one.
  void prepare(std::int64_t first, std::int64_t count, const Space& space);
  /// The first word of a pixel of a line of the band.
  const void* at(std::int64_t line, std::int64_t pixel) const;
  /// Words from the first tap of the kernel to each.
  const std::int64_t* taps() const { return taps_.data(); }
  /// Factors of integers from a pixel of a line on, for a slice of channels.
  kernels::Scales scales(std::int64_t line, std::int64_t pixel, std::int64_t slice) const;

 private:
  /// What integer pixels of a group have in common, for each slice of channels: x * inverse + zero.
  struct Range {
    std::vector<float> factor, inverse, zero;
    std::vector<std::uint32_t> zeros;  // the pixel that stands for zeros
  };
  void convert(const float* x, std::int64_t pixels, const Range*, std::uint32_t* out) const;
  void convert_rows(std::int64_t line, float* space);
  void copy_group(std::int64_t group, float* space);
  const float* lines_of(std::int64_t image, std::int64_t begin, std::int64_t end,
                        float* space) const;
  Range range_of(const float* x, std::int64_t pixels) const;

  const ProductCall& call_;
  const Lines& l_;
  const InputPixels input_;
  std::uint32_t* copy_;
  std::vector<std::int64_t> taps_;
  std::int64_t first_ = 0;     // group of the band
  std::int64_t rows_ = 0;      // of the band, or a few more
  std::vector<float> scales_;  // of integer rows of one tap: [slices][rows of the band]
  std::vector<Range> ranges_;  // of the band's groups
};

}  // namespace mezzo
