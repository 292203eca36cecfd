#include "backend/meta/rates.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "backend/cpu/isa.h"

namespace mezzo {
namespace {

struct IsaRate {
  std::string_view isa;
  double products;  // GFLOP/s of a core in large products of float32
  double attention;
  double bytes;  // GB/s of a core in operations bound by memory
};

// Measured on Zen 3 (avx2) and Sapphire Rapids (avx512, avx512_vnni); the others follow from their
// vector widths.
constexpr std::array kRates = {
    IsaRate{"sse4", 15, 10, 8},           IsaRate{"avx2", 75, 50, 10},
    IsaRate{"avx512", 140, 90, 12},       IsaRate{"avx512_vnni", 140, 90, 12},
    IsaRate{"avx512_bf16", 115, 120, 12}, IsaRate{"neon", 35, 25, 8},
};
constexpr double kMemoryLimit = 30;  // GB/s of all cores of a desktop machine
constexpr double kStart = 5e-6;      // seconds to begin an operation

}  // namespace

double predicted_seconds(const OpRecord& op, double flops, int threads) {
  const auto* rate = std::ranges::find(kRates, isa_name(), &IsaRate::isa);
  if (rate == kRates.end()) rate = kRates.begin();
  const double arithmetic = op.name == "attention" ? rate->attention : rate->products;
  const double bytes = std::min(rate->bytes * threads, kMemoryLimit);
  return kStart +
         std::max(flops / (arithmetic * threads), static_cast<double>(op.bytes) / bytes) * 1e-9;
}

}  // namespace mezzo
