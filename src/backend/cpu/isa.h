// The instruction sets of this CPU, and MEZZO_CPU_ISA, which limits them for tests.
#pragma once

#include <string_view>

namespace mezzo {

/// Applies MEZZO_CPU_ISA before the first kernel runs. Throws UsageError when it names no
/// instruction set.
void apply_isa_limit();

/// The best that is used: sse4, avx2, avx512, avx512_vnni or avx512_bf16; on arm64 neon.
std::string_view isa_name();

/// Whether there are instructions that multiply words of four 8-bit or two 16-bit integers, or of
/// two bfloat16.
/// Not every CPU that has them is fast at it (cpu_multiplies_bf16()).
bool cpu_has_vnni();
bool cpu_has_bf16();

}  // namespace mezzo
