// Products of rows with a panel of a packed weight: the kernel below linear layers, convolutions
// and Winograd's algorithm. A panel is panel_width() output channels side by side, one row of it
// for each value that is summed over.
#pragma once

#include "backend/cpu/kernels/kernels.h"

namespace mezzo::kernels {

/// Output channels of a panel: two vectors. Where half of them are enough, it may be that narrow.
Index panel_width();

/// What is multiplied: float32; pairs of bfloat16 with float32 sums; or, with exact sums, integers
/// of 8 bits, those of the left operand without sign, or pairs of 16-bit ones (words.h).
enum class Operands { kFloat, kBF16, kInt8, kInt16 };

/// Factors of integer products: (sum - zero * sums[j]) * row[i] * column[j]. `zero`: the integer
/// that stands for 0 in the left operand; `sums`: those of the weight's integers. kInt16 has no
/// such sums.
struct Scales {
  const float* row = nullptr;
  Index row_step = 0;  // 0: all rows have one factor
  std::int32_t zero = 0;
  const float* column = nullptr;
  const std::int32_t* sums = nullptr;
};

/// A block of rows times a panel. Depths and strides of `a` are in words of four bytes.
struct PanelProduct {
  Operands operands = Operands::kFloat;
  const void* a;  // [rows][depth], rows a_stride apart
  Index a_stride, rows;
  const void* panel;   // [depth][width]
  Index depth, width;  // width: panel_width() or half of it
  /// Of a convolution: the sum goes over `taps` such products. Tap t has its rows a_taps[t] words,
  /// and its panel t * panel_tap words further on.
  Index taps = 1;
  const Index* a_taps = nullptr;
  Index panel_tap = 0;
  Scales scales = {};  // of integers
  /// What sums are added to: [rows][width], rows before_stride apart, where 0 means one row for
  /// all. Null: zeros.
  const float* before = nullptr;
  Index before_stride = 0;
  /// Then they are multiplied by gate[j], and a row of `add` is added. Null: nothing.
  const float *gate = nullptr, *add = nullptr;
  float* c;  // [rows][width]; rows, and those of `add`, are c_stride apart
  Index c_stride;
  bool c_is_far = false;  // in no cache of this core
};
/// c = (before + a * panel) * gate + add. A value does not depend on the number of rows. `before`,
/// with c's stride, and `add` may be c itself.
void multiply_panel(const PanelProduct&);

/// What happens to finished sums: out = activation(c) * gate + add. Null: nothing.
struct Finish {
  const float *gate = nullptr, *add = nullptr;
  Activation activation = Activation::kNone;
};
/// `rows` rows of `columns` sums, c_stride apart; out and add are out_stride apart.
void finish_rows(const float* c, Index c_stride, Index rows, Index columns, const Finish&,
                 float* out, Index out_stride);

/// out = value * gelu(gate); `columns` of whole vectors. Rows of value and gate are c_stride apart.
void finish_geglu(const float* value, const float* gate, Index c_stride, Index rows, Index columns,
                  float* out, Index out_stride);

}  // namespace mezzo::kernels
