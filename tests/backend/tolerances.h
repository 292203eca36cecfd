// How far a kernel's float32 result may be from the plain double one, relative to the largest value
// of the result.
#pragma once

namespace mezzo::test {

constexpr double kProduct = 2e-6;  // convolutions and linear layers, float32
constexpr double kProductBf16 =
    1.2e-2;                           // weights (and on some CPUs activations) rounded to bfloat16
constexpr double kProductF16 = 2e-6;  // 16-bit weights that hold float16 values exactly
constexpr double kProductInt16 = 3e-4;   // rows and weights rounded to integers of 16 bits
constexpr double kProductInt8 = 2e-2;    // rows and weights rounded to 8 bits
constexpr double kWinograd = 4e-5;       // tiles of 6 x 6
constexpr double kWinogradInt16 = 3e-3;  // tiles of 4 x 4, whose points are rounded
constexpr double kAttention = 5e-6;
constexpr double kAttentionBf16 = 2e-2;  // queries, keys, values and probabilities rounded
constexpr double kAttentionInt8 = 4e-2;
constexpr double kAttentionInt16 = 1e-3;
constexpr double kNorm = 3e-6;
constexpr double kActivation = 1e-6;  // absolute, for inputs of -8..8
constexpr double kArithmetic = 1e-7;

}  // namespace mezzo::test
