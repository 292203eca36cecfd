#include "tensor/shape.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "base/checked.h"

namespace mezzo {

Shape::Shape(std::initializer_list<std::int64_t> dims)
    : Shape(std::span(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const std::int64_t> dims) {
  check(dims.size() <= kMaxRank, "a shape has at most 8 dimensions");
  check(checked_product(dims).has_value(),
        "a shape's sizes are >= 0 and their product fits 64 bits");
  std::ranges::copy(dims, dims_.begin());
  rank_ = static_cast<int>(dims.size());
}

std::int64_t Shape::numel() const {
  std::int64_t n = 1;
  for (auto d : dims()) n *= d;
  return n;
}

bool Shape::operator==(const Shape& o) const { return std::ranges::equal(dims(), o.dims()); }

bool is_contiguous(const Shape& s, std::span<const std::int64_t> strides) {
  std::int64_t n = 1;
  for (int i = s.rank() - 1; i >= 0; --i) {
    if (s[i] != 1 && strides[static_cast<std::size_t>(i)] != n) return false;
    n *= s[i];
  }
  return true;
}

std::string to_string(const Shape& s) { return fmt::format("[{}]", fmt::join(s.dims(), ",")); }

}  // namespace mezzo
