#include "pipeline/inpaint_area.h"

#include <algorithm>
#include <cmath>

#include "image/mask.h"
#include "image/pixels.h"

namespace mezzo {
namespace {

/// The smallest rectangle around everything that is repainted.
Rect bounds(const Image& mask) {
  int left = mask.width, top = mask.height, right = 0, bottom = 0;
  for (int y = 0; y < mask.height; ++y)
    for (int x = 0; x < mask.width; ++x)
      if (mask.row(y)[x]) {
        left = std::min(left, x), right = std::max(right, x + 1);
        top = std::min(top, y), bottom = std::max(bottom, y + 1);
      }
  return {left, top, right - left, bottom - top};
}

/// A stretch of `length` around begin..begin+size, moved inside 0..limit.
std::pair<int, int> widened(int begin, int size, int length, int limit) {
  length = std::min(length, limit);
  return {std::clamp(begin - (length - size) / 2, 0, limit - length), length};
}

/// The box with `padding` around it, grown to the shape of width x height as far as the picture
/// allows.
Rect grown(Rect box, int padding, const GenerateParams& p, const Image& picture) {
  std::tie(box.x, box.width) = widened(box.x, box.width, box.width + 2 * padding, picture.width);
  std::tie(box.y, box.height) =
      widened(box.y, box.height, box.height + 2 * padding, picture.height);
  const double shape = static_cast<double>(p.width) / static_cast<double>(p.height);
  if (box.width < shape * box.height)
    std::tie(box.x, box.width) =
        widened(box.x, box.width, static_cast<int>(std::lround(shape * box.height)), picture.width);
  else
    std::tie(box.y, box.height) = widened(
        box.y, box.height, static_cast<int>(std::lround(box.width / shape)), picture.height);
  return box;
}

}  // namespace

std::optional<InpaintArea> cut_area(GenerateParams& p, const ModelDefaults& defaults) {
  constexpr Rgb kWhite = {255, 255, 255};
  if (!p.only_masked || !p.init || !p.mask) return std::nullopt;
  validate(p);
  InpaintArea area{
      .whole = to_rgb(*p.init, kWhite), .mask = threshold(mask_from_image(*p.mask)), .box = {}};
  if (is_blank(area.mask)) return std::nullopt;  // resolve() says so
  if (p.width == 0) p.width = defaults.width;
  if (p.height == 0) p.height = defaults.height;
  area.box = grown(bounds(area.mask), static_cast<int>(p.mask_padding), p, area.whole);
  p.init = crop(area.whole, area.box);
  p.mask = crop(area.mask, area.box);
  p.fit = "stretch";  // put_back() undoes it, where the box could not take the request's shape
  return area;
}

Image put_back(const InpaintArea& area, const Image& drawn) {
  const Image part = resize(drawn, area.box.width, area.box.height);
  Image out = area.whole;
  for (int y = 0; y < part.height; ++y)
    std::copy_n(part.row(y), part.row_bytes(), out.row(area.box.y + y) + 3 * area.box.x);
  return out;
}

Image keep_unmasked(const Image& drawn, const Image& kept, const Image& share) {
  Image out = drawn;
  for (std::size_t i = 0; i < share.pixels.size(); ++i) {
    const int a = share.pixels[i];
    for (std::size_t c = 0; c < 3; ++c)
      out.pixels[3 * i + c] = static_cast<std::uint8_t>(
          (drawn.pixels[3 * i + c] * a + kept.pixels[3 * i + c] * (255 - a) + 127) / 255);
  }
  return out;
}

}  // namespace mezzo
