// Values as the words that products read (words-inl.h): float32 as it is, bfloat16 and 16-bit
// integers in pairs, 8-bit integers in fours. What fills the last word of a row or column is zero.
#pragma once

#include "backend/cpu/kernels/kernels.h"

namespace mezzo::kernels {

/// n values -> (n + 1) / 2 words.
void row_to_bf16(const float* x, Index n, std::uint32_t* out);
/// n values -> (n + 3) / 4 words of integers x / scale + 128. Returns the scale, a 127th of the
/// largest magnitude; 0 for a row of zeros.
float row_to_int8(const float* x, Index n, std::uint32_t* out);
/// Integers of 16 bits: at most kInt16Depth values at a time are scaled so that the root of the sum
/// of their squares is at most kInt16Norm. A sum of products of two such operands is then below
/// 2^31 (Cauchy and Schwarz).
inline constexpr Index kInt16Depth = 256;
inline constexpr float kInt16Norm = 46300, kInt16Most = 32767;
/// n values, kInt16Depth at most -> (n + 1) / 2 words of integers x / scale. Returns the scale; 0
/// of zeros.
float row_to_int16(const float* x, Index n, std::uint32_t* out);

/// Groups of `group` channels, a multiple of 4 (the last may have fewer), of pixels [pixels]
/// [channels]. Widens lowest[g] and highest[g] to the values of a group; highest[g] is
/// NaN where there is one.
struct Groups {
  Index channels, group;
  Index count() const { return (channels + group - 1) / group; }
};
void widen_ranges(const float* x, Index pixels, const Groups&, float* lowest, float* highest);
/// Pixels as integers x * inverse[g] + zero[g] in 0..255, (channels + 3) / 4 words each.
void pixels_to_int8(const float* x, Index pixels, const Groups&, const float* inverse,
                    const float* zero, std::uint32_t* out);

/// Rows of a panel [rows][width] -> [(rows + 1) / 2][width] words, and back.
void panel_to_bf16(const float* x, Index rows, Index width, std::uint32_t* out);
void panel_from_bf16(const std::uint32_t* x, Index rows, Index width, float* out);
/// Widens the factor of each column of a panel [rows][width]: a 127th of the largest magnitude; NaN
/// where there is one.
void widen_panel_scales(const float* x, Index rows, Index width, float* scale);
/// -> [(rows + 3) / 4][width] words of integers x / scale, with a scale for each column. Adds each
/// column's integers to `sums`.
void panel_to_int8(const float* x, Index rows, Index width, const float* scale, std::uint32_t* out,
                   std::int32_t* sums);
/// And back: integers times the scale of their column.
void panel_from_int8(const std::uint32_t* x, Index rows, Index width, const float* scale,
                     float* out);
/// At most kInt16Depth rows -> [(rows + 1) / 2][width] words of integers x / scale[column], whose
/// scales it finds; NaN where there is one.
void panel_to_int16(const float* x, Index rows, Index width, float* scale, std::uint32_t* out);

}  // namespace mezzo::kernels
