#include "backend/cpu/product.h"

#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/parallel.h"
#include "backend/cpu/winograd.h"

namespace mezzo {
namespace {

std::optional<WinogradPlan> winograd_of(const ProductCall& c) {
  if (!c.winograd) return {};
  return choose_winograd(c.weights, c.h, c.w);
}

// Activation and residual of finished sums.
void activate(const ProductCall& call) {
  constexpr std::int64_t kBlock = 1 << 13;  // values
  const Epilogue& e = call.epilogue;
  auto* out = call.out.data<float>();
  const float* add = e.add.defined() ? e.add.data<float>() : nullptr;
  parallel_blocks(call.threads, call.out.numel(), kBlock, [&](std::int64_t i, std::int64_t end) {
    kernels::finish(out + i, add ? add + i : nullptr, end - i, e.activation, out + i);
  });
}

}  // namespace

std::size_t product_scratch(const ProductCall& call) {
  const auto plan = winograd_of(call);
  return plan ? winograd_scratch(call, *plan) : direct_scratch(call);
}

void run_product(const ProductCall& call, std::byte* scratch) {
  const auto plan = winograd_of(call);
  if (!plan) return run_direct(call, scratch);
  run_winograd(call, *plan, scratch);
  if (call.epilogue.activation != Activation::kNone) activate(call);
}

}  // namespace mezzo
