#include <algorithm>
#include <cmath>
#include <span>

#include "pipeline/job.h"

namespace mezzo {

namespace {

template <class T>
void fail_unless_finite(std::span<const T> values) {
  if (std::ranges::all_of(values, [](T v) { return std::isfinite(v); })) return;
  fail<LoadError>(
      "the model gave numbers that are not finite (NaN); its weights are damaged, or it needs "
      "another prediction type (--prediction) or more precision (--precision f32)");
}

}  // namespace

void check_finite(std::span<const double> values) { fail_unless_finite(values); }
void check_finite(std::span<const float> values) { fail_unless_finite(values); }

Tensor upload_latents(Backend& backend, const sampling::Latents& x, const Shape& nchw) {
  Tensor values(host(), DType::kF32, nchw);
  check(static_cast<std::int64_t>(x.size()) == values.numel(),
        "latents have the shape they are used with");
  std::ranges::transform(x.values(), values.data<float>(),
                         [](double v) { return static_cast<float>(v); });
  return ops::nchw_to_nhwc(backend.upload(values));
}

sampling::Latents download_latents(const Tensor& nhwc) {
  const Tensor values = ops::backend_of(nhwc).download(ops::nhwc_to_nchw(nhwc));
  return sampling::Latents::from_floats(
      {values.data<float>(), static_cast<std::size_t>(values.numel())});
}

Tensor upload_image(Backend& backend, const Image& rgb) {
  check(rgb.channels == 3, "the picture is RGB");
  Tensor values(host(), DType::kF32, {1, rgb.height, rgb.width, 3});
  std::ranges::transform(rgb.pixels, values.data<float>(),
                         [](std::uint8_t v) { return static_cast<float>(v) / 127.5f - 1.0f; });
  return backend.upload(values);
}

Image to_image(const Tensor& decoded) {
  Image image{.width = static_cast<int>(decoded.dim(1)),
              .height = static_cast<int>(decoded.dim(0)),
              .channels = 3,
              .pixels = {}};
  const auto n = static_cast<std::size_t>(decoded.numel());
  image.pixels.resize(n);
  const float* x = decoded.data<float>();
  check_finite(std::span(x, n));
  for (std::size_t i = 0; i < n; ++i)
    image.pixels[i] = static_cast<std::uint8_t>(
        std::nearbyint(std::clamp(x[i] / 2.0f + 0.5f, 0.0f, 1.0f) * 255.0f));
  return image;
}

}  // namespace mezzo
