// A weight as the products read it: panels of kernels::panel_width() output channels, each
// [taps][input channels][width], a linear layer being a convolution with one tap. The last panel is
// half as wide where that is enough. What lies beside each other is multiplied at once: float32,
// two bfloat16 or 16-bit integers, or four of 8 bits in a word (kernels/words.h).
#pragma once

#include "backend/backend.h"
#include "backend/cpu/footprint.h"
#include "backend/cpu/kernels/product.h"
#include "backend/cpu/memory.h"

namespace mezzo {

/// Whether weights of this type stay as their file has them.
inline bool is_kept(DType t) { return is_quantized(t) || is_float8(t); }

class PackedWeight final : public Packed {
 public:
  using Operands = kernels::Operands;

  PackedWeight(const Conv2dConfig& config, Precision precision, DType source,
               const ByteCount& count, bool backed);

  /// Fills the memory from [out, in, k, k] on the host, and the bias when there is one.
  void fill(const Tensor& weight, const Tensor& bias, int threads);
  /// Working memory of fill().
  std::size_t packing_bytes(const Tensor& weight, int threads) const;

  std::size_t bytes() const override {
    return weights_.bytes() + bias_.bytes() + scales_.bytes() + sums_.bytes();
  }
  const Conv2dConfig& config() const { return config_; }
  Operands operands() const { return operands_; }
  /// Of kFloat: float32, or 16 bits that are widened where they are used. Where kept(): rows of
  /// quantised values that are expanded there. Else what the words have.
  DType storage() const { return storage_; }
  bool kept() const { return kept_; }
  /// Whether convolutions may round what they multiply to 16-bit integers.
  bool rounds() const { return rounds_; }
  /// Whether values() writes to its `space`.
  bool unpacks() const {
    return kept_ || (operands_ == Operands::kFloat && storage_ != DType::kF32);
  }

  const float* bias() const { return reinterpret_cast<const float*>(bias_.data()); }
  /// Sums of 8-bit integers over a slice of input channels, for each output channel and what fills
  /// the last panel; null of others.
  const std::int32_t* sums(std::int64_t slice_index) const {
    if (operands_ != Operands::kInt8) return nullptr;
    return reinterpret_cast<const std::int32_t*>(sums_.data()) + slice_index * panels() * width_;
  }

  std::int64_t taps() const { return std::int64_t{config_.kernel} * config_.kernel; }
  /// Values in a word, and words of n values.
  std::int64_t in_word() const;
  std::int64_t words(std::int64_t n) const { return ceil_div(n, in_word()); }
  /// Words of a row of the left operand.
  std::int64_t row_words() const { return words(config_.in); }
  bool integers() const { return operands_ != Operands::kFloat && operands_ != Operands::kBF16; }
  std::int64_t panels() const { return ceil_div(config_.out, width_); }
  std::int64_t panel_width() const { return width_; }
  struct Panel {
    std::int64_t begin, columns, width;  // output channels; width: columns, padded
  };
  Panel panel(std::int64_t index) const;

  /// Input channels that are multiplied at a time: so many of all taps, then the next. Integer
  /// pixels have one range of values for each slice, rows of one tap a factor.
  std::int64_t slice() const;
  /// A piece of a panel as [taps][depth][width] words, taps tap_stride words apart: where it lies,
  /// or in `space`.
  struct Values {
    const void* data;
    std::int64_t tap_stride;
    const float* scales = nullptr;  // of each column of integers
  };
  /// A slice of a product: what is multiplied with `depth` words of a row of the left operand.
  struct Term {
    Values values;
    std::int64_t first, depth;
  };
  std::int64_t terms() const { return ceil_div(config_.in, slice()); }
  Term term(const Panel&, std::int64_t index, float* space) const;
  /// Input channels begin, ..., begin + count - 1 as float32. begin: any number, or where values
  /// are kept or integers of 8 bits a multiple of slice(), and count at most that.
  Values float_values(const Panel&, std::int64_t begin, std::int64_t count, float* space) const;
  /// Values of `space` for so many input channels.
  std::int64_t space(std::int64_t count) const;

 private:
  std::int64_t row() const { return config_.in * taps(); }  // values of an output channel
  std::int64_t panel_words(std::int64_t width) const { return row_words() * taps() * width; }
  std::size_t stored_bytes() const;
  /// Factors of integers that are not kept(), as their sums are.
  const float* scales(std::int64_t slice_index) const {
    return reinterpret_cast<const float*>(scales_.data()) + slice_index * panels() * width_;
  }
  const std::byte* stored(const Panel&, std::int64_t begin) const;
  Values values(const Panel&, std::int64_t begin, std::int64_t count, float* space) const;
  void expand(const Panel&, std::int64_t begin, std::int64_t count, float* space) const;
  void encode(const Panel&, const float* values);
  void encode_int8(const Panel&, const float* values, std::uint32_t* packed);
  void encode_int16(const Panel&, const float* values, std::uint32_t* packed);

  Conv2dConfig config_;
  Operands operands_;
  bool kept_, rounds_;
  DType storage_;
  std::int64_t width_;
  WeightMemory weights_, bias_, scales_, sums_;
};

}  // namespace mezzo
