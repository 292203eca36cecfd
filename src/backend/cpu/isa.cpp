#include "backend/cpu/isa.h"

#include <array>
#include <cstdlib>

#include <dnnl.hpp>
#include <hwy/highway.h>

#include "backend/backend.h"
#include "base/error.h"
#include "base/log.h"

namespace mezzo {
namespace {

struct Isa {
  std::string_view name;
  std::int64_t disabled;  // Highway's targets above it
  dnnl::cpu_isa onednn;
};

// Highway gives better targets lower bits.
constexpr std::int64_t kAboveSse4 = HWY_SSE4 - 1, kAboveAvx2 = HWY_AVX2 - 1;
constexpr std::array kIsas = {
    Isa{"sse4", kAboveSse4, dnnl::cpu_isa::sse41},
    Isa{"avx2", kAboveAvx2, dnnl::cpu_isa::avx2},
    Isa{"avx512", 0, dnnl::cpu_isa::avx512_core},
    Isa{"avx512_bf16", 0, dnnl::cpu_isa::avx512_core_bf16},
    Isa{"amx", 0, dnnl::cpu_isa::avx512_core_amx},
};

void apply(std::string_view name) {
  for (const Isa& isa : kIsas) {
    if (isa.name != name) continue;
    hwy::DisableTargets(isa.disabled);
    if (dnnl::set_max_cpu_isa(isa.onednn) != dnnl::status::success)
      log_warning("MEZZO_CPU_ISA={} does not reach oneDNN, which this process has used before",
                  name);
    return;
  }
  fail<UsageError>("MEZZO_CPU_ISA is \"{}\"; it can be sse4, avx2, avx512, avx512_bf16 or amx",
                   name);
}

bool onednn_has(dnnl::cpu_isa wanted) {
  const auto bits = static_cast<unsigned>(wanted);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

}  // namespace

void apply_isa_limit() {
  static const bool done = [] {
    if (const char* name = std::getenv("MEZZO_CPU_ISA"); name && *name) apply(name);
    return true;
  }();
  (void)done;
}

std::string_view isa_name() {
  apply_isa_limit();
  if (onednn_has(dnnl::cpu_isa::avx512_core_amx)) return "amx";
  if (onednn_has(dnnl::cpu_isa::avx512_core_bf16)) return "avx512_bf16";
  if (onednn_has(dnnl::cpu_isa::avx512_core)) return "avx512";
  if (onednn_has(dnnl::cpu_isa::avx2)) return "avx2";
  return "sse4";
}

bool cpu_has_fast_bf16() {
  apply_isa_limit();
  return onednn_has(dnnl::cpu_isa::avx512_core_bf16);
}

}  // namespace mezzo
