// Blocks of quantised values: ggml's formats as GGUF files hold them, bitsandbytes' 4-bit codes and
// scaled float8 (layouts at the top of blocks.cpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace mezzo {

/// `blocks` blocks of the quantised type `t` as float32.
void decode_blocks(DType t, const std::byte* in, std::int64_t blocks, float* out);

/// The reverse, rounded as the reference of each format does (q4_k: encode_q4_k.cpp). False where
/// the type can only be read.
bool encode_blocks(DType t, const float* in, std::int64_t blocks, std::byte* out);
bool can_encode(DType t);

/// 256 values as a block of q4_k, 144 bytes.
void encode_q4_k(const float* in, std::uint8_t* block);

/// What the 256 codes of a float8 type stand for.
const std::array<float, 256>& float8_values(DType t);

/// What the 16 codes of NF4 (Dettmers et al. 2023) and of bitsandbytes' FP4 stand for.
inline constexpr std::array<float, 16> kNF4Codes = {-1.0f,
                                                    -0.6961928009986877f,
                                                    -0.5250730514526367f,
                                                    -0.39491748809814453f,
                                                    -0.28444138169288635f,
                                                    -0.18477343022823334f,
                                                    -0.09105003625154495f,
                                                    0.0f,
                                                    0.07958029955625534f,
                                                    0.16093020141124725f,
                                                    0.24611230194568634f,
                                                    0.33791524171829224f,
                                                    0.44070982933044434f,
                                                    0.5626170039176941f,
                                                    0.7229568362236023f,
                                                    1.0f};
inline constexpr std::array<float, 16> kFP4Codes = {0.0f,
                                                    0.0052083334885537624f,
                                                    0.6666666865348816f,
                                                    1.0f,
                                                    0.3333333432674408f,
                                                    0.5f,
                                                    0.1666666716337204f,
                                                    0.25f,
                                                    0.0f,
                                                    -0.0052083334885537624f,
                                                    -0.6666666865348816f,
                                                    -1.0f,
                                                    -0.3333333432674408f,
                                                    -0.5f,
                                                    -0.1666666716337204f,
                                                    -0.25f};

}  // namespace mezzo
