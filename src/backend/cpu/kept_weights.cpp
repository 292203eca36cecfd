#include "backend/cpu/kept_weights.h"

#include <algorithm>
#include <numeric>

#include "backend/cpu/kernels/kernels.h"
#include "backend/cpu/product.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

constexpr std::int64_t kSliceValues = 512;  // of a row: 8 rows of them fit the first cache level

std::int64_t taps(const PackedProduct& w) { return w.config().kernel * w.config().kernel; }

// Values of row `row` from `first` on.
void expand(const PackedProduct& w, std::int64_t row, std::int64_t first, std::int64_t count,
            float* to) {
  const DTypeInfo& type = info(w.storage());
  const std::int64_t at = row * w.config().in * taps(w) + first;
  to_float(type.dtype, w.weights() + at / type.block * type.bytes, count, to);
}

}  // namespace

KeptSlice kept_slice(const PackedProduct& w, std::int64_t block) {
  const std::int64_t n = taps(w), in = w.config().in, values = info(w.storage()).block;
  // Whole blocks of the type and of the layout; then as many as fit the cache.
  const std::int64_t unit = std::lcm(block, values / std::gcd(values, n));
  const std::int64_t channels = unit * std::max<std::int64_t>(1, kSliceValues / (unit * n));
  KeptSlice s = {.block = block, .channels = std::min(channels, round_up(in, block)), .values = 0};
  s.values = s.channels * n * block;
  return s;
}

void expand_slice(const PackedProduct& w, const KeptSlice& slice, std::int64_t out, std::int64_t in,
                  float* plain, float* to) {
  const Conv2dConfig& c = w.config();
  const std::int64_t n = taps(w), channels = std::min(slice.channels, c.in - in),
                     rows = std::min(slice.block, c.out - out), stride = channels * n;
  for (std::int64_t r = 0; r < rows; ++r) expand(w, out + r, in * n, stride, plain + r * stride);
  kernels::interleave(plain, stride,
                      {.rows = rows, .channels = channels, .taps = n, .block = slice.block}, to);
}

void expand_rows(const PackedProduct& w, std::int64_t begin, std::int64_t count, float* to) {
  const std::int64_t row = w.config().in * taps(w);
  for (std::int64_t r = 0; r < count; ++r) expand(w, begin + r, 0, row, to + r * row);
}

}  // namespace mezzo
