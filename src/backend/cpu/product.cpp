#include "backend/cpu/product.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/parallel.h"
#include "backend/cpu/winograd.h"

namespace mezzo {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

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

using kernels::Operands;

template <int kTile, Operands kOperands>
std::optional<WinogradPlan> winograd(const ProductCall& call) {
  if (!call.winograd) return {};
  return plan_winograd(call.weights, call.h, call.w, kTile, kOperands);
}

template <int kTile, Operands kOperands>
double winograd_cost(const ProductCall& call) {
  const auto plan = winograd<kTile, kOperands>(call);
  return plan ? cost(call.weights, *plan) : kNever;
}

template <int kTile, Operands kOperands>
std::size_t winograd_bytes(const ProductCall& call) {
  return winograd_scratch(call, *winograd<kTile, kOperands>(call));
}

template <int kTile, Operands kOperands>
void winograd_product(const ProductCall& call, std::byte* scratch) {
  run_winograd(call, *winograd<kTile, kOperands>(call), scratch);
  if (call.epilogue.activation != Activation::kNone) activate(call);
}

template <int kTile, Operands kOperands>
constexpr Algorithm winograd_algorithm(std::string_view name) {
  return {name, winograd_cost<kTile, kOperands>, winograd_bytes<kTile, kOperands>,
          winograd_product<kTile, kOperands>};
}

template <Operands kOperands>
double direct_cost_of(const ProductCall& call) {
  return call.weights.operands() == kOperands ? direct_cost(call) : kNever;
}

constexpr std::array kAlgorithms = {
    Algorithm{"direct f32", direct_cost_of<Operands::kFloat>, direct_scratch, run_direct},
    Algorithm{"direct bf16", direct_cost_of<Operands::kBF16>, direct_scratch, run_direct},
    Algorithm{"direct int8", direct_cost_of<Operands::kInt8>, direct_scratch, run_direct},
    Algorithm{"direct int16", direct_cost_of<Operands::kInt16>, direct_scratch, run_direct},
    winograd_algorithm<4, Operands::kFloat>("winograd 4x4 f32"),
    winograd_algorithm<6, Operands::kFloat>("winograd 6x6 f32"),
    winograd_algorithm<4, Operands::kInt16>("winograd 4x4 int16"),
};

}  // namespace

const Algorithm& choose_algorithm(const ProductCall& call) {
  return *std::ranges::min_element(kAlgorithms, {},
                                   [&](const Algorithm& a) { return a.cost(call); });
}

}  // namespace mezzo
