// Blocks of quantised values as GGUF files hold them (ggml's formats; layouts in the table of
// blocks.cpp).
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace mezzo {

/// `blocks` blocks of the quantised type `t` as float32.
void decode_blocks(DType t, const std::byte* in, std::int64_t blocks, float* out);

/// The reverse, rounded as ggml's reference does. False where the type can only be read (the K
/// types).
bool encode_blocks(DType t, const float* in, std::int64_t blocks, std::byte* out);

}  // namespace mezzo
