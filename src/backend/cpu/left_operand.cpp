#include "backend/cpu/left_operand.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/kernels/words.h"
#include "backend/cpu/parallel.h"

namespace mezzo {
namespace {

using kernels::Operands;
using Index = std::int64_t;

constexpr Index kBandWords = 1 << 18;   // of a copy: 1 MiB
constexpr Index kLinePixels = 1 << 10;  // of a line where a line may be anything
constexpr std::size_t kWord = 4;        // bytes

}  // namespace

Lines::Lines(const ProductCall& call) : call_(call), images_(call.images) {
  const Conv2dConfig& c = call.config();
  pads_ = c.kernel > 1 || c.stride > 1 || c.pad_top || c.pad_left || c.pad_bottom || c.pad_right;
  copies_ = pads_ || call.weights.operands() != Operands::kFloat;
  words_ = call.weights.words(c.in);
  stride_ = words_ * c.stride;
  if (pads_) {
    in_image_ = call.out_h();
    pixels_ = last_pixels_ = call.out_w();
    padded_ = (pixels_ - 1) * c.stride + c.kernel;
    step_ = c.stride;
  } else {
    const Index all = call.h * call.w;
    in_image_ = ceil_div(all, kLinePixels);
    pixels_ = std::min(all, kLinePixels);
    last_pixels_ = all - (in_image_ - 1) * pixels_;
    padded_ = pixels_;
  }
  const Index line = padded_ * words_ * step_;
  band_ = copies_ ? std::max<Index>(1, kBandWords / line) : count();
  if (band_ >= in_image_) band_ = band_ / in_image_ * in_image_;
}

Index Lines::pixels(Index line) const {
  return (line + 1) % in_image_ == 0 ? last_pixels_ : pixels_;
}

Index Lines::band(Index line) const {
  const Index left = band_ < in_image_ ? in_image_ - line % in_image_ : count() - line;
  return std::min(band_, left);
}

// Of one image.
Index Lines::copied_lines(Index lines) const {
  return pads_ ? (std::min(lines, in_image_) - 1) * step_ + call_.config().kernel
               : std::min(lines, in_image_);
}

std::size_t Lines::copy_bytes() const {
  if (!copies_) return 0;
  const Index lines = std::min(band_, count()), images = std::max<Index>(1, lines / in_image_);
  return static_cast<std::size_t>(images * copied_lines(lines) * padded_ * words_) * kWord;
}

void LeftOperand::convert(const float* x, Index pixels, std::uint32_t* out, float* scales) const {
  const Index in = call_.config().in;
  const Operands operands = call_.weights.operands();
  if (operands == Operands::kFloat) {
    std::memcpy(out, x, static_cast<std::size_t>(pixels * in) * kWord);
  } else if (operands == Operands::kBF16 && in % 2 == 0) {
    kernels::row_to_bf16(x, pixels * in, out);
  } else {
    for (Index i = 0; i < pixels; ++i) {
      if (operands == Operands::kBF16)
        kernels::row_to_bf16(x + i * in, in, out + i * l_.words_);
      else
        scales[i] = kernels::row_to_int8(x + i * in, in, out + i * l_.words_);
    }
  }
}

void LeftOperand::prepare(Index first, Index count) {
  first_ = first;
  if (!l_.copies_) return;
  if (call_.weights.operands() == Operands::kInt8)
    scales_.resize(static_cast<std::size_t>(count * l_.pixels_));
  const Conv2dConfig& c = call_.config();
  const Index each = l_.copied_lines(count), images = std::max<Index>(1, count / l_.in_image_),
              image = l_.image(first);
  const float* x = call_.x.data<float>();
  if (!l_.pads_) {
    parallel_for(call_.threads, count, [&](Index i, int) {
      const Index at = l_.image(first + i) * call_.h * call_.w + l_.pixel(first + i);
      convert(x + at * c.in, l_.pixels(first + i), copy_ + i * l_.padded_ * l_.words_,
              scales_.data() + i * l_.pixels_);
    });
    return;
  }
  const Index top = first % l_.in_image_ * c.stride - c.pad_top;
  const Index begin = std::min<Index>(c.pad_left, l_.padded_),
              end = std::min(l_.padded_, begin + call_.w);
  const auto zero = [&](std::uint32_t* line, Index from, Index to) {
    std::memset(line + from * l_.words_, 0,
                static_cast<std::size_t>((to - from) * l_.words_) * kWord);
  };
  parallel_for(call_.threads, images * each, [&](Index i, int) {
    std::uint32_t* line = copy_ + i * l_.padded_ * l_.words_;
    const Index row = top + i % each;
    if (row < 0 || row >= call_.h) return zero(line, 0, l_.padded_);
    zero(line, 0, begin);
    convert(x + ((image + i / each) * call_.h + row) * call_.w * c.in, end - begin,
            line + begin * l_.words_, nullptr);
    zero(line, end, l_.padded_);
  });
}

const void* LeftOperand::at(Index line, Index pixel) const {
  if (!l_.copies_)
    return call_.x.data<float>() +
           (l_.image(line) * call_.h * call_.w + l_.pixel(line) + pixel) * call_.config().in;
  const Index i = line - first_;
  Index copied = i;
  if (l_.pads_) {
    const Index each = l_.band_ < l_.in_image_ ? 0 : l_.copied_lines(l_.in_image_);
    copied = l_.band_ < l_.in_image_ ? i * l_.step_
                                     : i / l_.in_image_ * each + i % l_.in_image_ * l_.step_;
  }
  return copy_ + copied * l_.padded_ * l_.words_ + pixel * l_.stride_;
}

Index LeftOperand::tap(Index index) const {
  const Index kernel = call_.config().kernel;
  return (index / kernel * l_.padded_ + index % kernel) * l_.words_;
}

}  // namespace mezzo
