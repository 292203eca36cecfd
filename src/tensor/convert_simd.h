// The conversions that run over gigabytes when a model loads, in vectors (Highway, chosen at run
// time).
#pragma once

#include <cstddef>
#include <cstdint>

namespace mezzo {

void f16_to_float(const std::byte* in, std::int64_t n, float* out);
void bf16_to_float(const std::byte* in, std::int64_t n, float* out);
void float_to_f16(const float* in, std::int64_t n, std::byte* out);
void float_to_bf16(const float* in, std::int64_t n, std::byte* out);

}  // namespace mezzo
