// Products of rows with a panel of a packed weight: the kernel below linear layers, convolutions
// and Winograd's algorithm. A panel is panel_width() output channels side by side, one row of it
// for each value that is summed over.
#pragma once

#include "backend/cpu/kernels/kernels.h"

namespace mezzo::kernels {

/// Output channels of a panel: two vectors. Where half of them are enough, it may be that narrow.
Index panel_width();

/// What is multiplied: float32; pairs of bfloat16 with float32 sums; integers of 8 bits with exact
/// sums, those of the left operand without sign; or integers of 15 bits as two of 8 (words.h).
enum class Operands { kFloat, kBF16, kInt8, kInt15 };

/// A block of rows times a panel. Depths and strides of `a` are in words of four bytes.
struct PanelProduct {
  Operands operands = Operands::kFloat;
  const void* a;  // [rows][depth], rows a_stride apart
  Index a_stride, rows;
  const void* panel;   // [depth][width]
  Index depth, width;  // width: panel_width() or half of it
  void* c;             // [rows][width] float32, or int32 of integers; rows c_stride apart
  Index c_stride;
  /// Of a convolution: the sum goes over `taps` such products. Tap t has its rows a_taps[t] words,
  /// and its panel t * panel_tap words further on.
  Index taps = 1;
  const Index* a_taps = nullptr;
  Index panel_tap = 0;
};
/// c = a * panel, or c += a * panel. A value does not depend on the number of rows.
void multiply_panel(const PanelProduct&, bool accumulate);

/// Factors of integer products: (c - zero * sums[j]) * row[i] * column[j]. `zero`: the integer that
/// stands for 0 in the left operand; `sums`: those of the weight's integers.
struct Scales {
  const float* row;
  Index row_step;  // 0: all rows have one factor
  std::int32_t zero;
  const float* column;
  const std::int32_t* sums;
};
/// Integers c [rows][width] as float32, written to `out` or added to it; `out` may be c.
void scale_sums(const void* c, Index rows, Index width, const Scales&, float* out, bool accumulate);

/// What happens to finished sums: out = activation(c + bias) * gate + add. Null: nothing.
struct Finish {
  const float *bias = nullptr, *gate = nullptr, *add = nullptr;
  Activation activation = Activation::kNone;
};
/// `rows` rows of `columns` sums, c_stride apart; out and add are out_stride apart.
void finish_rows(const float* c, Index c_stride, Index rows, Index columns, const Finish&,
                 float* out, Index out_stride);

/// out = (value + value_bias) * gelu(gate + gate_bias); `columns` of whole vectors.
struct Geglu {
  const float *value, *gate, *value_bias, *gate_bias;
};
void finish_geglu(const Geglu&, Index c_stride, Index rows, Index columns, float* out,
                  Index out_stride);

}  // namespace mezzo::kernels
