#include "backend/cpu/isa.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <vector>

#include <hwy/highway.h>

#include "backend/backend.h"
#include "backend/cpu/kernels/product.h"
#include "base/error.h"

namespace mezzo {
namespace {

struct Isa {
  std::string_view name;
  std::int64_t disabled;  // Highway's targets above it
};

// Highway gives better targets lower bits. From the least to the best.
constexpr std::int64_t kAboveSse4 = HWY_SSE4 - 1, kAboveAvx2 = HWY_AVX2 - 1;
constexpr std::array kIsas = {Isa{"sse4", kAboveSse4}, Isa{"avx2", kAboveAvx2}, Isa{"avx512", 0},
                              Isa{"avx512_vnni", 0}, Isa{"avx512_bf16", 0}};
constexpr std::size_t kAvx512 = 2, kVnni = 3, kBf16 = 4;

std::string_view wanted() {
  const char* name = std::getenv("MEZZO_CPU_ISA");
  return name ? name : "";
}

/// The best in kIsas that MEZZO_CPU_ISA allows.
std::size_t limit() {
  static const std::size_t found = [] {
    const auto name = wanted();
    if (name.empty()) return kIsas.size() - 1;
    const auto* isa = std::ranges::find(kIsas, name, &Isa::name);
    if (isa == kIsas.end())
      fail<UsageError>(
          "MEZZO_CPU_ISA is \"{}\"; it can be sse4, avx2, avx512, avx512_vnni or avx512_bf16",
          name);
    hwy::DisableTargets(isa->disabled);
    return static_cast<std::size_t>(isa - kIsas.begin());
  }();
  return found;
}

// Highway's targets that kernels may run on. Asking for them undoes what was disabled for those
// that are chosen at run time (Highway 1.0.3), so it is set again.
std::int64_t targets() {
  limit();
  static const std::int64_t found = [] {
    const std::int64_t supported = hwy::SupportedTargets();
    hwy::GetChosenTarget().Update(supported);
    return supported;
  }();
  return found;
}

bool has_avx512() { return (targets() & HWY_AVX3) != 0; }

/// Whether products of bfloat16 take fewer nanoseconds a value than those of float32. Some
/// processors have the instruction and need four times as long for it, since they expect AMX to be
/// used. The two differ by factors, so that noise cannot decide.
bool multiplies_bf16_faster() {
  using Clock = std::chrono::steady_clock;
  constexpr kernels::Index kRows = 12, kDepth = 256, kCalls = 8;
  constexpr int kRounds = 9;
  const kernels::Index width = kernels::panel_width();
  const std::vector<float> a(kRows * kDepth), b(static_cast<std::size_t>(kDepth * width));
  std::vector<float> c(static_cast<std::size_t>(kRows * width));
  const auto seconds = [&](kernels::Operands operands) {
    const auto begin = Clock::now();
    for (kernels::Index i = 0; i < kCalls; ++i)
      kernels::multiply_panel({.operands = operands,
                               .a = a.data(),
                               .a_stride = kDepth,
                               .rows = kRows,
                               .panel = b.data(),
                               .depth = kDepth,
                               .width = width,
                               .c = c.data(),
                               .c_stride = width},
                              false);
    return std::chrono::duration<double>(Clock::now() - begin).count();
  };
  double f32 = 1e9, bf16 = 1e9;
  for (int i = 0; i < kRounds; ++i) {
    f32 = std::min(f32, seconds(kernels::Operands::kFloat));
    bf16 = std::min(bf16, seconds(kernels::Operands::kBF16));
  }
  return bf16 < 2 * f32;  // of as many words, which hold twice as many values
}

}  // namespace

void apply_isa_limit() { targets(); }

bool cpu_has_vnni() {
  static const bool has = limit() >= kVnni && has_avx512() && __builtin_cpu_supports("avx512vnni");
  return has;
}

bool cpu_has_bf16() {
  static const bool has = limit() >= kBf16 && has_avx512() && __builtin_cpu_supports("avx512bf16");
  return has;
}

bool cpu_has_fast_bf16() {
  static const bool fast =
      cpu_has_bf16() && (wanted() == kIsas[kBf16].name || multiplies_bf16_faster());
  return fast;
}

std::string_view isa_name() {
  apply_isa_limit();
  if (cpu_has_fast_bf16()) return kIsas[kBf16].name;
  if (cpu_has_vnni()) return kIsas[kVnni].name;
  if (has_avx512()) return kIsas[kAvx512].name;
  return targets() & HWY_AVX2 ? "avx2" : "sse4";
}

}  // namespace mezzo
