#include "backend/cpu/left_operand.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backend/cpu/kernels/words.h"
#include "backend/cpu/parallel.h"

namespace mezzo {
namespace {

using kernels::Operands;
using Index = std::int64_t;

constexpr Index kBandWords = 1 << 18;  // of a copy: 1 MiB
constexpr Index kIntegerLines = 8;     // the fewer share a range, the narrower it is
constexpr Index kLinePixels = 1 << 8;  // of a line where a line may be anything
constexpr std::size_t kWord = 4;       // bytes

}  // namespace

Lines::Lines(const ProductCall& call) : images_(call.images) {
  const Conv2dConfig& c = call.config();
  const bool integers = call.weights.integers();
  const bool normalises = call.input.factors.defined(), enlarges = call.input.enlarge > 1;
  pads_ = c.kernel > 1 || c.stride > 1 || c.pad_top || c.pad_left || c.pad_bottom || c.pad_right ||
          enlarges;
  copies_ = pads_ || normalises || call.weights.operands() != Operands::kFloat;
  words_ = call.weights.row_words();
  step_ = c.stride;
  if (!pads_) {
    const Index all = call.h * call.w;
    in_image_ = ceil_div(all, kLinePixels);
    pixels_ = padded_ = std::min(all, kLinePixels);
    last_pixels_ = all - (in_image_ - 1) * pixels_;
    group_ = copied_lines_ = 1;
  } else {
    in_image_ = call.out_h();
    pixels_ = last_pixels_ = call.out_w();
    padded_ = (pixels_ - 1) * c.stride + c.kernel;
    const Index line = padded_ * words_ * step_;
    group_ = std::clamp<Index>(kBandWords / line, 1, in_image_);
    if (integers) group_ = std::min(group_, kIntegerLines);
    copied_lines_ = (group_ - 1) * step_ + c.kernel;
  }
  const Index pixels = pads_ ? (integers ? copied_lines_ : 1) * call.w : pixels_;
  made_ = normalises || enlarges ? pixels * c.in : 0;
  const Index all = images_ * groups_of_image();
  band_ =
      copies_ ? std::clamp<Index>(kBandWords / (copied_lines_ * padded_ * words_), 1, all) : all;
}

Index Lines::pixels(Index line) const {
  return (line + 1) % in_image_ == 0 ? last_pixels_ : pixels_;
}

Index Lines::band(Index line) const {
  const Index last = std::min(group(line) + band_, images_ * groups_of_image());
  return first_line(last) - line;
}

std::size_t Lines::space_bytes() const { return footprint::floats(made_); }

std::size_t Lines::copy_bytes() const {
  if (!copies_) return 0;
  return static_cast<std::size_t>(band_ * copied_lines_ * padded_ * words_) * kWord;
}

LeftOperand::LeftOperand(const ProductCall& call, const Lines& lines, std::byte* copy)
    : call_(call), l_(lines), input_(call), copy_(reinterpret_cast<std::uint32_t*>(copy)) {
  const Index kernel = call.config().kernel;
  for (Index y = 0; y < kernel; ++y)
    for (Index x = 0; x < kernel; ++x) taps_.push_back((y * lines.padded_ + x) * lines.words_);
}

void LeftOperand::prepare(Index first, Index count, const Space& space) {
  first_ = l_.group(first);
  if (!l_.copies_) return;
  const bool integers = call_.weights.integers();
  rows_ = count * l_.pixels_;
  if (integers && !l_.pads_)
    scales_.resize(static_cast<std::size_t>(rows_ * call_.weights.terms()));
  if (integers && l_.pads_) ranges_.resize(static_cast<std::size_t>(l_.band_));
  const Index groups = l_.group(first + count - 1) - first_ + 1;
  parallel_for(call_.threads, groups, [&](Index i, int thread) {
    l_.pads_ ? copy_group(first_ + i, space(thread)) : convert_rows(first_ + i, space(thread));
  });
}

// Pixels to words, by the range that is theirs where they are integers.
void LeftOperand::convert(const float* x, Index pixels, const Range* range,
                          std::uint32_t* out) const {
  const Index in = call_.config().in;
  if (range) {
    kernels::pixels_to_int8(x, pixels, {in, call_.weights.slice()}, range->inverse.data(),
                            range->zero.data(), out);
  } else if (call_.weights.operands() == Operands::kFloat) {
    if (reinterpret_cast<const float*>(out) == x) return;  // made there
    std::memcpy(out, x, static_cast<std::size_t>(pixels * in) * kWord);
  } else if (in % 2 == 0) {
    kernels::row_to_bf16(x, pixels * in, out);
  } else {
    for (Index i = 0; i < pixels; ++i) kernels::row_to_bf16(x + i * in, in, out + i * l_.words_);
  }
}

// A line of rows that no kernel looks beyond.
void LeftOperand::convert_rows(Index line, float* space) {
  const Index in = call_.config().in, pixels = l_.pixels(line), at = line - first_;
  std::uint32_t* out = copy_ + at * l_.padded_ * l_.words_;
  if (call_.weights.operands() == Operands::kFloat) space = reinterpret_cast<float*>(out);
  const float* x = input_.get(l_.image(line), l_.pixel(line), pixels, space);
  if (!call_.weights.integers()) return convert(x, pixels, nullptr, out);
  const PackedWeight& w = call_.weights;
  const auto convert_row =
      w.operands() == Operands::kInt8 ? kernels::row_to_int8 : kernels::row_to_int16;
  for (Index begin = 0; begin < in; begin += w.slice()) {
    float* scales = scales_.data() + begin / w.slice() * rows_ + at * l_.pixels_;
    const Index n = std::min(w.slice(), in - begin);
    for (Index i = 0; i < pixels; ++i)
      scales[i] = convert_row(x + i * in + begin, n, out + i * l_.words_ + w.words(begin));
  }
}

// The lines of x that a group of results looks at, with zeros around the picture.
void LeftOperand::copy_group(Index group, float* space) {
  const Conv2dConfig& c = call_.config();
  const Index first = l_.first_line(group), lines = l_.copied_lines_, image = l_.image(first),
              top = first % l_.in_image_ * c.stride - c.pad_top;
  const Index begin = std::min<Index>(c.pad_left, l_.padded_),
              end = std::min(l_.padded_, begin + call_.w);
  const Index above = std::clamp<Index>(top, 0, call_.h),
              below = std::clamp(top + lines, above, call_.h);
  const float* all = nullptr;  // integers need every line for their range
  const Range* range = nullptr;
  if (call_.weights.operands() == Operands::kInt8) {
    all = lines_of(image, above, below, space);
    Range& own = ranges_[static_cast<std::size_t>(group - first_)];
    own = range_of(all, (below - above) * call_.w);
    range = &own;
  }
  const auto bytes = static_cast<std::size_t>(l_.words_) * kWord;
  const auto zero = [&](std::uint32_t* line, Index from, Index to) {
    if (!range)
      std::memset(line + from * l_.words_, 0, static_cast<std::size_t>(to - from) * bytes);
    for (Index i = from; range && i < to; ++i)
      std::memcpy(line + i * l_.words_, range->zeros.data(), bytes);
  };
  for (Index i = 0; i < lines; ++i) {
    std::uint32_t* line = copy_ + ((group - first_) * lines + i) * l_.padded_ * l_.words_;
    const Index row = top + i;
    if (row < above || row >= below) {
      zero(line, 0, l_.padded_);
      continue;
    }
    zero(line, 0, begin);
    std::uint32_t* out = line + begin * l_.words_;
    if (call_.weights.operands() == Operands::kFloat) space = reinterpret_cast<float*>(out);
    const float* x = all ? all + (row - above) * call_.w * c.in
                         : input_.get(image, row * call_.w, end - begin, space);
    convert(x, end - begin, range, out);
    zero(line, end, l_.padded_);
  }
}

// Rows of an image one after the other: where they lie, or made in `space`.
const float* LeftOperand::lines_of(Index image, Index begin, Index end, float* space) const {
  const Index pixels = call_.w, line = pixels * call_.config().in;
  if (!input_.enlarges()) return input_.get(image, begin * pixels, (end - begin) * pixels, space);
  for (Index row = begin; row < end; ++row)
    input_.get(image, row * pixels, pixels, space + (row - begin) * line);
  return space;
}

LeftOperand::Range LeftOperand::range_of(const float* x, Index pixels) const {
  constexpr float kSteps = 255;
  const kernels::Groups slices = {call_.config().in, call_.weights.slice()};
  const auto count = static_cast<std::size_t>(slices.count());
  std::vector<float> lowest(count), highest(count);  // zeros are always among the values
  kernels::widen_ranges(x, pixels, slices, lowest.data(), highest.data());
  Range r = {.factor = std::vector<float>(count),
             .inverse = std::vector<float>(count),
             .zero = std::vector<float>(count),
             .zeros = std::vector<std::uint32_t>(static_cast<std::size_t>(l_.words_))};
  auto* bytes = reinterpret_cast<std::uint8_t*>(r.zeros.data());
  for (std::size_t i = 0; i < count; ++i) {
    r.factor[i] = (highest[i] - lowest[i]) / kSteps;
    // Of NaN and infinities the factor alone is left, and what it is multiplied with shows them.
    if (!std::isfinite(r.factor[i]) || !std::isfinite(1 / r.factor[i])) continue;
    r.inverse[i] = 1 / r.factor[i];
    r.zero[i] = std::nearbyint(-lowest[i] * r.inverse[i]);
    const Index from = static_cast<Index>(i) * slices.group,
                to = std::min(from + slices.group, slices.channels);
    std::fill(bytes + from, bytes + to, static_cast<std::uint8_t>(r.zero[i]));
  }
  return r;
}

const void* LeftOperand::at(Index line, Index pixel) const {
  if (!l_.copies_) return input_.get(l_.image(line), l_.pixel(line) + pixel, 1, nullptr);
  const Index group = l_.group(line), copied = (group - first_) * l_.copied_lines_ +
                                               (line - l_.first_line(group)) * l_.step_;
  return copy_ + copied * l_.padded_ * l_.words_ + pixel * l_.stride();
}

kernels::Scales LeftOperand::scales(Index line, Index pixel, Index slice) const {
  constexpr std::int32_t kMiddle = 128;
  kernels::Scales s = {};
  if (!l_.pads_) {
    s.row = scales_.data() + slice * rows_ + (line - first_) * l_.pixels_ + pixel;
    s.row_step = 1;
    s.zero = kMiddle;
    return s;
  }
  const Range& r = ranges_[static_cast<std::size_t>(l_.group(line) - first_)];
  s.row = r.factor.data() + slice;
  s.zero = static_cast<std::int32_t>(r.zero[static_cast<std::size_t>(slice)]);
  return s;
}

}  // namespace mezzo
