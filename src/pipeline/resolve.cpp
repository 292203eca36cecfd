#include "pipeline/resolve.h"

#include <nlohmann/json.hpp>

#include "base/config.h"
#include "base/error.h"
#include "image/mask.h"
#include "image/resize.h"

namespace mezzo {
namespace {

Image as_rgb(const Image& image) {
  if (image.channels == 3) return image;
  Image rgb{.width = image.width, .height = image.height, .channels = 3, .pixels = {}};
  rgb.pixels.resize(static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) *
                    3);
  const auto channels = static_cast<std::size_t>(image.channels);
  for (std::size_t i = 0; i < rgb.pixels.size() / 3; ++i)
    for (std::size_t c = 0; c < 3; ++c) {
      const int v = image.pixels[i * channels + (channels == 1 ? 0 : c)];
      const int alpha = channels == 4 ? image.pixels[i * channels + 3] : 255;
      rgb.pixels[3 * i + c] =
          static_cast<std::uint8_t>((v * alpha + 255 * (255 - alpha) + 127) / 255);  // over white
    }
  return rgb;
}

void check_picture(const Image& image, const char* what) {
  const bool sizes = image.width > 0 && image.height > 0 &&
                     (image.channels == 1 || image.channels == 3 || image.channels == 4);
  if (!sizes || image.pixels.size() != image.row_bytes() * static_cast<std::size_t>(image.height))
    fail<UsageError>(
        "the {} is empty or has the wrong number of bytes; give width x height x 1, 3 or 4 "
        "channels",
        what);
}

void resolve_pictures(GenerateParams& p, std::int64_t factor) {
  check_picture(*p.init, "picture to start from");
  if (p.mask) {
    check_picture(*p.mask, "mask");
    if (p.mask->width != p.init->width || p.mask->height != p.init->height)
      fail<UsageError>(
          "the mask is {}x{} pixels but the picture {}x{}; make the mask as large as the picture",
          p.mask->width, p.mask->height, p.init->width, p.init->height);
  }
  if (p.width == 0) p.width = std::max<std::int64_t>(p.init->width / factor, 1) * factor;
  if (p.height == 0) p.height = std::max<std::int64_t>(p.init->height / factor, 1) * factor;
  const int w = static_cast<int>(p.width), h = static_cast<int>(p.height);
  p.init = as_rgb(*p.init);
  if (p.init->width != w || p.init->height != h)
    p.init = resize(*p.init, w, h, ResizeFilter::kLanczos);
  if (p.mask) {
    p.mask = mask_from_image(*p.mask);
    if (p.mask->width != w || p.mask->height != h)
      p.mask = resize(*p.mask, w, h, ResizeFilter::kNearest);
    if (is_blank(threshold(*p.mask)))
      fail<UsageError>(
          "the mask has no white part, so nothing would be repainted; paint white what should "
          "change");
  }
}

}  // namespace

ModelDefaults ModelDefaults::from(const nlohmann::json& defaults, std::int64_t side,
                                  const std::string& origin) {
  ModelDefaults d;
  d.width = d.height = side;
  if (!defaults.is_object() || !defaults.contains("recommended")) return d;
  const ConfigReader r(defaults["recommended"], origin + " (recommended settings)");
  d.steps = r.integer("steps", d.steps, 1, 1000);
  d.width = r.integer("width", side, 8, 4096);
  d.height = r.integer("height", side, 8, 4096);
  d.guidance = r.number("guidance_scale", d.guidance);
  d.guidance_rescale = r.number("guidance_rescale", 0.0);
  d.sampler = r.text("sampler", "");
  return d;
}

GenerateParams resolve(const GenerateParams& params, const ModelDefaults& d) {
  validate(params);
  GenerateParams p = params;
  if (p.mask && !p.init)
    fail<UsageError>("a mask needs the picture it belongs to; give it with --init");
  if (d.inpainting && !p.mask)
    fail<UsageError>(
        "this is an inpainting model; it needs a picture (--init) and a mask (--mask) whose white "
        "part is repainted");
  if (p.steps == 0) p.steps = d.steps;
  if (!p.guidance) p.guidance = d.guidance;
  if (p.guidance_rescale == 0) p.guidance_rescale = d.guidance_rescale;
  if (p.sampler.empty()) p.sampler = d.sampler;
  if (!p.strength) p.strength = p.mask ? 1.0 : 0.8;
  if (p.init) resolve_pictures(p, d.factor);
  if (p.width == 0) p.width = d.width;
  if (p.height == 0) p.height = d.height;
  if (p.width % d.factor || p.height % d.factor)
    fail<UsageError>(
        "{}x{} is not a size this model can draw; width and height must be multiples of {}, such "
        "as {}x{}",
        p.width, p.height, d.factor, std::max<std::int64_t>(p.width / d.factor, 1) * d.factor,
        std::max<std::int64_t>(p.height / d.factor, 1) * d.factor);
  if (p.init && static_cast<double>(p.steps) * *p.strength < 1)
    fail<UsageError>(
        "strength {} of {} steps leaves no step to run; raise the strength or the steps",
        *p.strength, p.steps);
  return p;
}

}  // namespace mezzo
