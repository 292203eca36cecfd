// The instruction sets in use: what the CPU has, limited by the environment variable MEZZO_CPU_ISA.
#pragma once

#include <string_view>

namespace mezzo {

/// Applies MEZZO_CPU_ISA (sse4, avx2, avx512, avx512_bf16, amx) to Highway and oneDNN, once per
/// process. Throws UsageError for another name. Every entry into the CPU backend calls it first.
void apply_isa_limit();

/// The best instruction set of our kernels, as MEZZO_CPU_ISA would name it.
std::string_view isa_name();

}  // namespace mezzo
