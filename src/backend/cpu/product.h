// A packed convolution or linear layer applied to pictures. A linear layer is a 1x1 convolution of
// a picture one row high.
#pragma once

#include "backend/cpu/packed_weight.h"

namespace mezzo {

struct ProductCall {
  const PackedWeight& weights;
  const Epilogue& epilogue;
  const Tensor& x;
  Tensor& out;
  std::int64_t images, h, w;  // pictures of x
  int threads;
  bool winograd;  // may be used

  std::int64_t out_h() const { return side(h, config().pad_top + config().pad_bottom); }
  std::int64_t out_w() const { return side(w, config().pad_left + config().pad_right); }
  const Conv2dConfig& config() const { return weights.config(); }

 private:
  std::int64_t side(std::int64_t before, int padding) const {
    return (before + padding - config().kernel) / config().stride + 1;
  }
};

/// Bytes of working memory that run_product needs.
std::size_t product_scratch(const ProductCall&);
void run_product(const ProductCall&, std::byte* scratch);

/// The sums as the definition has them.
std::size_t direct_scratch(const ProductCall&);
void run_direct(const ProductCall&, std::byte* scratch);

}  // namespace mezzo
