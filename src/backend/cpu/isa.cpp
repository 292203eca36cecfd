#include "backend/cpu/isa.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ranges>

#include <hwy/highway.h>

#include "backend/backend.h"
#include "base/error.h"

namespace mezzo {
namespace {

struct Isa {
  std::string_view name;
  std::int64_t disabled;  // Highway's targets above it
};

// From the least to the best, and what Highway has no name for.
#if HWY_ARCH_X86
// Highway gives better targets lower bits.
constexpr std::int64_t kAboveSse4 = HWY_SSE4 - 1, kAboveAvx2 = HWY_AVX2 - 1;
constexpr std::array kIsas = {Isa{"sse4", kAboveSse4}, Isa{"avx2", kAboveAvx2}, Isa{"avx512", 0},
                              Isa{"avx512_vnni", 0}, Isa{"avx512_bf16", 0}};
bool has_vnni() { return __builtin_cpu_supports("avx512vnni"); }
bool has_bf16() { return __builtin_cpu_supports("avx512bf16"); }
#else
constexpr std::array kIsas = {Isa{"neon", 0}};
bool has_vnni() { return false; }
bool has_bf16() { return false; }
#endif
constexpr std::size_t kVnni = 3, kBf16 = 4;

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
      fail<UsageError>("MEZZO_CPU_ISA is \"{}\"; it can be one of: {}", name,
                       fmt::join(kIsas | std::views::transform(&Isa::name), ", "));
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

}  // namespace

void apply_isa_limit() { targets(); }

bool cpu_has_vnni() {
  static const bool has = limit() >= kVnni && has_avx512() && has_vnni();
  return has;
}

bool cpu_has_bf16() {
  static const bool has = limit() >= kBf16 && has_avx512() && has_bf16();
  return has;
}

// Twice as fast as float32 on some processors (Zen 4), half as fast on others (Sapphire Rapids),
// and not as exact as recorded networks ask for: 0.06 of a result's deviation where 0.03 is
// allowed.
bool cpu_multiplies_bf16() {
  static const bool asked = cpu_has_bf16() && wanted() == "avx512_bf16";
  return asked;
}

std::string_view isa_name() {
  apply_isa_limit();
  if (cpu_multiplies_bf16()) return "avx512_bf16";
  if (cpu_has_vnni()) return "avx512_vnni";
  if (has_avx512()) return "avx512";
  return targets() & HWY_AVX2 ? "avx2" : kIsas.front().name;
}

}  // namespace mezzo
