// A packed convolution or linear layer applied to pictures. A linear layer is a 1x1 convolution of
// a picture one row high.
#pragma once

#include <string_view>

#include "backend/cpu/packed_weight.h"

namespace mezzo {

struct ProductCall {
  const PackedWeight& weights;
  const Epilogue& epilogue;
  const ConvInput& input;
  Tensor& out;
  std::int64_t images, h, w;  // pictures as they are read
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

/// A way to compute a product.
struct Algorithm {
  std::string_view name;
  /// Time for one picture, in products of two float32 at the processor's peak; infinite where it
  /// cannot be used.
  double (*cost)(const ProductCall&);
  std::size_t (*scratch)(const ProductCall&);  // bytes of working memory
  void (*run)(const ProductCall&, std::byte* scratch);
};

/// The one that takes the least time. It depends on the size of one picture, the weight and the
/// instruction set, not on how many pictures there are, as must the result.
const Algorithm& choose_algorithm(const ProductCall&);

/// The sums as the definition has them.
double direct_cost(const ProductCall&);
std::size_t direct_scratch(const ProductCall&);
void run_direct(const ProductCall&, std::byte* scratch);

/// What a value of an operand that is unpacked or transformed costs, in the same products (measured
/// with bench/backend_bench), and for how many pictures that is done at once: guidance makes two of
/// one.
constexpr double kValueCost = 20, kPictures = 2;

}  // namespace mezzo
