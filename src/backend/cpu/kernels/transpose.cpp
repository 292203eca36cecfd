#include <algorithm>

#include "backend/cpu/kernels/kernels.h"

namespace mezzo::kernels {

// Tiles of 16 x 16 values: one cache line a row on both sides. The inner loops have fixed bounds
// and are vectorised by the compiler; the pass is bound by memory.
void transpose(const float* x, Index x_stride, Index rows, Index columns, float* out,
               Index out_stride) {
  constexpr Index kTile = 16;
  for (Index r = 0; r < rows; r += kTile) {
    for (Index c = 0; c < columns; c += kTile) {
      const Index r_end = std::min(r + kTile, rows), c_end = std::min(c + kTile, columns);
      for (Index i = c; i < c_end; ++i)
        for (Index j = r; j < r_end; ++j) out[i * out_stride + j] = x[j * x_stride + i];
    }
  }
}

}  // namespace mezzo::kernels
