// Convolutions of wide pictures, cut into tiles that stay in the cache. Each tile is computed by
// one thread.
#pragma once

#include "backend/cpu/product_run.h"

namespace mezzo {

struct TiledImage {
  const float *x, *add;  // of this image; add may be null
  float* out;
  const void* weights;
  const float* bias;
};

/// Runs the plan's only kernel over the tiles of one image. scratch: the plan's
/// footprint::Product::tiles bytes.
void run_tiles(const ProductCall&, const ProductPlan&, const TiledImage&, std::byte* scratch);

}  // namespace mezzo
