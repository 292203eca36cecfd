// Values as the words that products read (words-inl.h): float32 as it is, bfloat16 in pairs, 8-bit
// integers in fours. What fills the last word of a row or column is zero. Integers of 15 bits are
// 128 * upper + lower, whose words are apart; those of 13 bits are in pairs.
#pragma once

#include "backend/cpu/kernels/kernels.h"

namespace mezzo::kernels {

/// n values -> (n + 1) / 2 words.
void row_to_bf16(const float* x, Index n, std::uint32_t* out);
/// n values -> (n + 3) / 4 words of integers x / scale + 128. Returns the scale, a 127th of the
/// largest magnitude; 0 for a row of zeros.
float row_to_int8(const float* x, Index n, std::uint32_t* out);
/// What an upper part of 15 bits stands for, in lower ones.
inline constexpr float kBase = 128;
/// n values -> (n + 3) / 4 words of upper + 128 and as many of lower + 128. Returns the scale of
/// the upper ones, a 127th of the largest magnitude.
float row_to_int15(const float* x, Index n, std::uint32_t* out);

/// Largest magnitudes of a row's integers of 13 bits and a panel's of 12: a sum of kMostDepth
/// products is below 2^31.
inline constexpr float kMostLeft = 4095, kMostRight = 2047;
inline constexpr Index kMostDepth = 256;
/// n values -> (n + 1) / 2 words of integers x / scale. Returns the scale, a 4095th of the largest
/// magnitude.
float row_to_int13(const float* x, Index n, std::uint32_t* out);

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
/// -> words of the upper integers, `lower` words further on those of the lower ones. scale: of the
/// upper ones. sums, lower_sums: as above.
void panel_to_int15(const float* x, Index rows, Index width, const float* scale, std::uint32_t* out,
                    Index lower, std::int32_t* sums, std::int32_t* lower_sums);
/// -> [(rows + 1) / 2][width] words of integers x / scale[column] of 12 bits, whose scales it
/// finds: a 2047th of the largest magnitude; NaN where there is one.
void panel_to_int12(const float* x, Index rows, Index width, float* scale, std::uint32_t* out);

}  // namespace mezzo::kernels
