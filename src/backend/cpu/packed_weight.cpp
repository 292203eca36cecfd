#include "backend/cpu/packed_weight.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "backend/cpu/isa.h"
#include "backend/cpu/kernels/words.h"
#include "backend/cpu/parallel.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

constexpr std::int64_t kRowsAtOnce = 4;        // of a weight that become columns of a panel
constexpr std::int64_t kDepth = 256;           // input channels of a slice of one tap
constexpr std::int64_t kDepthOfTaps = 256;     // and of several: whole blocks of every type
constexpr std::int64_t kIntegerDepth = 64;     // of several, in integers
constexpr std::int64_t kCopyBlock = 1 << 20;   // bytes
constexpr std::int64_t kLeastOfIntegers = 64;  // input channels whose rounding pays
constexpr std::size_t kWord = 4;               // bytes

PackedWeight::Operands operands_of(const Conv2dConfig& c, Precision precision) {
  using enum kernels::Operands;
  if (precision == Precision::kInt8) return kInt8;
  if (precision == Precision::kF32) return kFloat;
  if (cpu_multiplies_bf16()) return kBF16;
  const bool rows =
      c.kernel == 1 && c.stride == 1 && c.pad_top + c.pad_left + c.pad_bottom + c.pad_right == 0;
  return rows && c.in >= kLeastOfIntegers && cpu_has_vnni() ? kInt16 : kFloat;
}

DType storage_of(PackedWeight::Operands operands, Precision precision, DType source, bool kept) {
  if (kept) return source;
  if (operands == kernels::Operands::kInt8) return DType::kI8;
  if (operands == kernels::Operands::kInt16) return DType::kI16;
  if (operands == kernels::Operands::kBF16) return DType::kBF16;
  // 16 bits of the file stay as they are: widened, they are the same numbers.
  if (source == DType::kF16 || source == DType::kBF16) return source;
  if (precision == Precision::kF32 || precision == Precision::kAuto) return DType::kF32;
  // Scales of quantised types are float16, and so is most of what they scale; bfloat16 would lose
  // bits.
  return is_quantized(source) ? DType::kF16 : DType::kBF16;
}

std::unique_ptr<float[]> floats(std::int64_t n) {
  return std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(n));
}

}  // namespace

PackedWeight::PackedWeight(const Conv2dConfig& config, Precision precision, DType source,
                           const ByteCount& count, bool backed)
    : config_(config),
      operands_(operands_of(config, precision)),
      kept_(is_kept(source) && operands_ != Operands::kInt8 && row() % info(source).block == 0),
      rounds_(precision != Precision::kF32 && cpu_has_vnni() && !cpu_multiplies_bf16()),
      storage_(storage_of(operands_, precision, source, kept_)),
      width_(kernels::panel_width()) {
  weights_ = WeightMemory(stored_bytes(), count, backed);
  bias_ = WeightMemory(footprint::floats(config.out), count, backed);
  if (!integers() || kept_) return;
  const std::size_t bytes = static_cast<std::size_t>(panels() * width_ * terms()) * kWord;
  scales_ = WeightMemory(bytes, count, backed);
  if (operands_ == Operands::kInt8) sums_ = WeightMemory(bytes, count, backed);
}

std::int64_t PackedWeight::in_word() const {
  switch (operands_) {
    case Operands::kFloat:
      return 1;
    case Operands::kBF16:
    case Operands::kInt16:
      return 2;
    case Operands::kInt8:
      break;
  }
  return 4;
}

PackedWeight::Panel PackedWeight::panel(std::int64_t index) const {
  const std::int64_t begin = index * width_, columns = std::min(width_, config_.out - begin);
  return {begin, columns, columns <= width_ / 2 ? width_ / 2 : width_};
}

std::int64_t PackedWeight::slice() const {
  if (operands_ == Operands::kInt16) return std::min(kernels::kInt16Depth, config_.in);
  if (integers()) return taps() == 1 ? config_.in : std::min(kIntegerDepth, config_.in);
  return std::min(taps() == 1 ? kDepth : kDepthOfTaps, config_.in);
}

std::int64_t PackedWeight::space(std::int64_t count) const {
  // As float32, with room for one more row of each tap where a pair is not full; of a kept weight
  // also its rows on the way there, and factors of integers.
  const std::int64_t values = taps() * (count + in_word() - 1) * width_;
  return values + (kept_ ? values + kRowsAtOnce * count * taps() + width_ : 0);
}

std::size_t PackedWeight::stored_bytes() const {
  if (kept_) return static_cast<std::size_t>(*byte_size(storage_, config_.out * row()));
  const Panel last = panel(panels() - 1);
  if (operands_ != Operands::kFloat)
    return static_cast<std::size_t>(panel_words(last.begin + last.width)) * kWord;
  return static_cast<std::size_t>(*byte_size(storage_, (last.begin + last.width) * row()));
}

const std::byte* PackedWeight::stored(const Panel& p, std::int64_t begin) const {
  const std::int64_t value =
      operands_ == Operands::kFloat ? static_cast<std::int64_t>(info(storage_).bytes) : kWord;
  return weights_.data() + (panel_words(p.begin) + words(begin) * p.width) * value;
}

// A piece of a kept weight as float32 [taps][count][width].
void PackedWeight::expand(const Panel& p, std::int64_t begin, std::int64_t count,
                          float* space) const {
  const DTypeInfo& type = info(storage_);
  const std::int64_t tap_stride = count * p.width, length = count * taps();
  float* plain = space + taps() * tap_stride;
  if (p.columns < p.width) std::fill_n(space, tap_stride * taps(), 0.0f);
  for (std::int64_t o = 0; o < p.columns; o += kRowsAtOnce) {
    const std::int64_t rows = std::min(kRowsAtOnce, p.columns - o);
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t at = (p.begin + o + r) * row() + begin * taps();
      to_float(storage_, weights_.data() + at / type.block * type.bytes, length,
               plain + r * length);
    }
    kernels::interleave(plain, length,
                        {.rows = rows,
                         .channels = count,
                         .taps = taps(),
                         .width = p.width,
                         .tap_stride = tap_stride},
                        space + o);
  }
}

PackedWeight::Values PackedWeight::values(const Panel& p, std::int64_t begin, std::int64_t count,
                                          float* space) const {
  if (operands_ == Operands::kFloat) return float_values(p, begin, count, space);
  if (!kept_)
    return {stored(p, begin), words(config_.in) * p.width,
            integers() ? scales(begin / slice()) + p.begin : nullptr};
  const std::int64_t tap_stride = words(count) * p.width;
  auto* packed = reinterpret_cast<std::uint32_t*>(space);
  float* expanded = space + taps() * tap_stride + width_;  // behind factors of integers
  expand(p, begin, count, expanded);
  if (operands_ == Operands::kInt16) {  // of one tap
    float* scales = space + taps() * tap_stride;
    kernels::panel_to_int16(expanded, count, p.width, scales, packed);
    return {packed, tap_stride, scales};
  }
  for (std::int64_t tap = 0; tap < taps(); ++tap)
    kernels::panel_to_bf16(expanded + tap * count * p.width, count, p.width,
                           packed + tap * tap_stride);
  return {packed, tap_stride};
}

PackedWeight::Term PackedWeight::term(const Panel& p, std::int64_t index, float* space) const {
  const std::int64_t begin = index * slice(), count = std::min(slice(), config_.in - begin);
  return {values(p, begin, count, space), words(begin), words(count)};
}

PackedWeight::Values PackedWeight::float_values(const Panel& p, std::int64_t begin,
                                                std::int64_t count, float* space) const {
  const std::int64_t tap_stride = count * p.width, apart = words(config_.in) * p.width;
  if (kept_) {
    expand(p, begin, count, space);
    return {space, tap_stride};
  }
  const std::byte* from = stored(p, begin);
  if (storage_ == DType::kF32) return {from, apart};
  check(!integers() || operands_ == Operands::kInt8,
        "of integers only those of 8 bits are read back");
  for (std::int64_t tap = 0; tap < taps(); ++tap) {
    float* to = space + tap * tap_stride;
    if (operands_ == Operands::kInt8)
      kernels::panel_from_int8(reinterpret_cast<const std::uint32_t*>(from) + tap * apart, count,
                               p.width, scales(begin / slice()) + p.begin, to);
    else if (operands_ == Operands::kBF16)
      kernels::panel_from_bf16(reinterpret_cast<const std::uint32_t*>(from) + tap * apart, count,
                               p.width, to);
    else
      to_float(storage_, from + tap * apart * static_cast<std::int64_t>(info(storage_).bytes),
               tap_stride, to);
  }
  return {space, tap_stride};
}

namespace {

/// Plain rows [out, in * taps] of a weight of any type as float32.
class Rows {
 public:
  Rows(const Tensor& weight, std::int64_t row, int threads) : weight_(weight), row_(row) {
    check(weight.contiguous(), "weights are packed from contiguous tensors");
    const DTypeInfo& type = info(weight.dtype());
    if (row % type.block == 0) return;
    // Blocks that do not end with a row are decoded with all the others.
    constexpr std::int64_t kBlock = 1 << 14;
    all_ = floats(weight.numel());
    parallel_blocks(threads, weight.numel(), round_up<std::int64_t>(kBlock, type.block),
                    [&](std::int64_t i, std::int64_t end) { decode(i, end, all_.get() + i); });
  }
  /// Row i; in `space` unless it is in memory as it is.
  const float* get(std::int64_t i, float* space) const {
    if (all_) return all_.get() + i * row_;
    if (weight_.dtype() == DType::kF32) return weight_.data<float>() + i * row_;
    decode(i * row_, (i + 1) * row_, space);
    return space;
  }

 private:
  void decode(std::int64_t begin, std::int64_t end, float* out) const {
    const DTypeInfo& type = info(weight_.dtype());
    to_float(type.dtype, weight_.data<std::byte>() + begin / type.block * type.bytes, end - begin,
             out);
  }

  const Tensor& weight_;
  std::int64_t row_;
  std::unique_ptr<float[]> all_;
};

}  // namespace

std::size_t PackedWeight::packing_bytes(const Tensor& weight, int threads) const {
  if (kept_) return 0;
  const bool decodes_all = row() % info(weight.dtype()).block != 0;
  const std::int64_t thread = row() * (kRowsAtOnce + width_);
  return footprint::floats((decodes_all ? weight.numel() : 0) + threads * thread);
}

// Stores a panel [taps][in][width].
void PackedWeight::encode(const Panel& p, const float* values) {
  std::byte* out = const_cast<std::byte*>(stored(p, 0));
  if (operands_ == Operands::kFloat) return from_float(storage_, values, row() * p.width, out);
  const std::int64_t in = config_.in, tap_words = words(in) * p.width;
  auto* packed = reinterpret_cast<std::uint32_t*>(out);
  if (operands_ == Operands::kBF16) {
    for (std::int64_t tap = 0; tap < taps(); ++tap)
      kernels::panel_to_bf16(values + tap * in * p.width, in, p.width, packed + tap * tap_words);
    return;
  }
  return operands_ == Operands::kInt8 ? encode_int8(p, values, packed)
                                      : encode_int16(p, values, packed);
}

void PackedWeight::encode_int8(const Panel& p, const float* values, std::uint32_t* packed) {
  const std::int64_t in = config_.in, tap_words = words(in) * p.width;
  for (std::int64_t begin = 0; begin < in; begin += slice()) {
    const std::int64_t at = begin / slice() * panels() * width_ + p.begin,
                       count = std::min(slice(), in - begin);
    float* scale = reinterpret_cast<float*>(scales_.data()) + at;
    auto* sum = reinterpret_cast<std::int32_t*>(sums_.data()) + at;
    std::fill_n(sum, p.width, 0);
    std::fill_n(scale, p.width, 0.0f);
    for (std::int64_t tap = 0; tap < taps(); ++tap)
      kernels::widen_panel_scales(values + (tap * in + begin) * p.width, count, p.width, scale);
    for (std::int64_t tap = 0; tap < taps(); ++tap)
      kernels::panel_to_int8(values + (tap * in + begin) * p.width, count, p.width, scale,
                             packed + tap * tap_words + words(begin) * p.width, sum);
  }
}

void PackedWeight::encode_int16(const Panel& p, const float* values, std::uint32_t* packed) {
  for (std::int64_t begin = 0; begin < config_.in; begin += slice()) {
    const std::int64_t count = std::min(slice(), config_.in - begin);
    float* scale =
        reinterpret_cast<float*>(scales_.data()) + begin / slice() * panels() * width_ + p.begin;
    kernels::panel_to_int16(values + begin * p.width, count, p.width, scale,
                            packed + words(begin) * p.width);
  }
}

void PackedWeight::fill(const Tensor& weight, const Tensor& bias, int threads) {
  auto* b = reinterpret_cast<float*>(bias_.data());
  std::memset(b, 0, bias_.bytes());
  if (bias.defined()) to_float(bias.dtype(), bias.data<std::byte>(), config_.out, b);
  if (kept_) {
    check(weight.contiguous() && weight.dtype() == storage_ && weight.bytes() == weights_.bytes(),
          "a kept weight has the type and size that its memory was made for");
    return parallel_blocks(threads, static_cast<std::int64_t>(weights_.bytes()), kCopyBlock,
                           [&](std::int64_t i, std::int64_t end) {
                             std::memcpy(weights_.data() + i, weight.data<std::byte>() + i,
                                         static_cast<std::size_t>(end - i));
                           });
  }
  const Rows rows(weight, row(), threads);
  struct Space {
    std::unique_ptr<float[]> rows, panel;
  };
  std::vector<Space> spaces(static_cast<std::size_t>(threads));
  for (Space& s : spaces) s = {floats(kRowsAtOnce * row()), floats(width_ * row())};
  parallel_for(threads, panels(), [&](std::int64_t i, int thread) {
    const Space& space = spaces[static_cast<std::size_t>(thread)];
    const Panel p = panel(i);
    float* values = space.panel.get();
    if (p.columns < p.width) std::fill_n(values, p.width * row(), 0.0f);
    for (std::int64_t o = 0; o < p.columns; o += kRowsAtOnce) {
      const std::int64_t n = std::min(kRowsAtOnce, p.columns - o);
      const float* plain = rows.get(p.begin + o, space.rows.get());
      for (std::int64_t r = 1; r < n; ++r) rows.get(p.begin + o + r, space.rows.get() + r * row());
      kernels::interleave(plain, row(),
                          {.rows = n,
                           .channels = config_.in,
                           .taps = taps(),
                           .width = p.width,
                           .tap_stride = config_.in * p.width},
                          values + o);
    }
    encode(p, values);
  });
}

}  // namespace mezzo
