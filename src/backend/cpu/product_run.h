// Runs a packed convolution or linear layer, one picture at a time, so that a result does not
// depend on the batch.
#pragma once

#include "backend/cpu/product.h"

namespace mezzo {

struct ProductCall {
  const PackedProduct& weights;
  const Epilogue& epilogue;
  const Tensor& x;
  Tensor& out;
  std::int64_t images, h, w;  // pictures of x
  int threads;
  bool winograd;  // may be used
};

/// The scratch that run_product needs; makes and keeps the layer's plan for this size.
footprint::Product product_scratch(const ProductCall&);
void run_product(const ProductCall&, std::byte* scratch);

}  // namespace mezzo
