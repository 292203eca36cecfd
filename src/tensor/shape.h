// Dimensions of a tensor, outermost first.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace mezzo {

/// Up to 8 dimensions, each >= 0. A scalar has none.
class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims);
  explicit Shape(std::span<const std::int64_t> dims);

  int rank() const { return rank_; }
  std::int64_t operator[](int i) const {
    return dims_[static_cast<std::size_t>(i < 0 ? i + rank_ : i)];
  }
  void set(int i, std::int64_t value) {
    dims_[static_cast<std::size_t>(i < 0 ? i + rank_ : i)] = value;
  }
  std::span<const std::int64_t> dims() const {
    return {dims_.data(), static_cast<std::size_t>(rank_)};
  }
  const std::int64_t* begin() const { return dims_.data(); }
  const std::int64_t* end() const { return dims_.data() + rank_; }
  std::int64_t numel() const;  // 1 for a scalar

  bool operator==(const Shape& o) const;

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

/// True where `strides` (in elements, one per dimension) are those of values without gaps,
/// outermost first.
bool is_contiguous(const Shape& s, std::span<const std::int64_t> strides);

std::string to_string(const Shape& s);  // [2,77,768]

}  // namespace mezzo
