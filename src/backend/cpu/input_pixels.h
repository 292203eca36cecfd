// The pixels of a call's picture as its convolution reads them (ConvInput).
#pragma once

#include "backend/cpu/product.h"

namespace mezzo {

class InputPixels {
 public:
  explicit InputPixels(const ProductCall& call);

  /// Whether they are other values than those of the picture.
  bool normalises() const { return factors_ != nullptr; }
  bool enlarges() const { return enlarge_ > 1; }
  /// Where a pixel lies before it is normalised.
  const float* at(std::int64_t image, std::int64_t row, std::int64_t column) const {
    return x_ + ((image * h_ + row / enlarge_) * w_ + column / enlarge_) * channels_;
  }
  /// `count` pixels of an image from number `pixel` on, which do not leave their row where it
  /// enlarges: where they lie, or made in `space`, room for as many.
  const float* get(std::int64_t image, std::int64_t pixel, std::int64_t count, float* space) const;

 private:
  const float *x_, *factors_ = nullptr;
  std::int64_t h_, w_, channels_, enlarge_;
  Activation activation_;
};

}  // namespace mezzo
