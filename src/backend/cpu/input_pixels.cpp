#include "backend/cpu/input_pixels.h"

#include <cstring>

#include "backend/cpu/kernels/kernels.h"

namespace mezzo {

InputPixels::InputPixels(const ProductCall& call)
    : x_(call.input.x.data<float>()),
      h_(call.h / call.input.enlarge),
      w_(call.w / call.input.enlarge),
      channels_(call.config().in),
      enlarge_(call.input.enlarge),
      activation_(call.input.activation) {
  if (call.input.factors) factors_ = call.input.factors.data<float>();
}

const float* InputPixels::get(std::int64_t image, std::int64_t pixel, std::int64_t count,
                              float* space) const {
  const std::int64_t across = w_ * enlarge_, row = pixel / across, column = pixel % across;
  const float* x = enlarges() ? at(image, row, column) : x_ + (image * h_ * w_ + pixel) * channels_;
  if (enlarges()) {
    for (std::int64_t i = 0; i < count; ++i)
      std::memcpy(space + i * channels_, at(image, row, column + i),
                  static_cast<std::size_t>(channels_) * sizeof(float));
    x = space;
  }
  if (!normalises()) return x;
  const float* f = factors_ + 2 * image * channels_;
  kernels::group_apply(x, count, channels_, f, f + channels_, activation_, space);
  return space;
}

}  // namespace mezzo
