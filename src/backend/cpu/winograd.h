// 3x3 convolutions with stride 1 by Winograd's algorithm (kernels/winograd.h): a quarter (m = 4) or
// a fifth (m = 6) of the multiplications. Transforms are float32; what is multiplied is float32 or,
// where it is not excluded, 16-bit integers. Weights are transformed from their packed form at
// every use, so the choice costs no memory and can differ between sizes.
#pragma once

#include <optional>

#include "backend/cpu/product.h"

namespace mezzo {

/// How a layer is computed for pictures of one size.
struct WinogradPlan {
  int m;                      // a tile has m x m results
  std::int64_t across, down;  // tiles of a picture
  std::int64_t out_h, out_w;
  kernels::Operands operands;  // kFloat or kInt16

  bool integers() const { return operands == kernels::Operands::kInt16; }
  std::int64_t points() const { return (m + 2) * (m + 2); }
  std::int64_t tiles() const { return across * down; }
};

/// The plan of tiles of m x m, if the layer has one.
std::optional<WinogradPlan> plan_winograd(const PackedWeight&, std::int64_t h, std::int64_t w,
                                          int m, kernels::Operands);
/// As Algorithm::cost.
double cost(const PackedWeight&, const WinogradPlan&);
std::size_t winograd_scratch(const ProductCall&, const WinogradPlan&);
/// The whole epilogue but activations and what comes after them.
void run_winograd(const ProductCall&, const WinogradPlan&, std::byte* scratch);

}  // namespace mezzo
