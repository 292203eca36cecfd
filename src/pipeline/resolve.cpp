#include "pipeline/resolve.h"

#include <charconv>
#include <cmath>

#include <nlohmann/json.hpp>

#include "base/config.h"
#include "base/error.h"
#include "base/log.h"
#include "image/fit.h"
#include "image/mask.h"
#include "image/pixels.h"

namespace mezzo {
namespace {

constexpr Rgb kWhite = {255, 255, 255};

/// The size at which a picture is drawn again. Where the request names one side, the other follows
/// the picture's shape; where it names none, it is the picture's own size, or, where that is far
/// more than the model knows, as many pixels as the model's size.
void choose_size(GenerateParams& p, const ModelDefaults& d) {
  constexpr double kFarMore = 2.25;  // times the pixels: 768x768 for a model of 512x512
  const double w = p.init->width, h = p.init->height;
  const double own = static_cast<double>(d.width) * static_cast<double>(d.height);
  const double shrink = w * h > kFarMore * own ? std::sqrt(own / (w * h)) : 1;
  const auto whole_cells = [&](std::int64_t length) {
    return std::max<std::int64_t>(length / d.factor, 1) * d.factor;
  };
  if (p.width != 0 && p.height == 0)
    p.height = whole_cells(p.init->height * p.width / p.init->width);
  if (p.height != 0 && p.width == 0)
    p.width = whole_cells(p.init->width * p.height / p.init->height);
  if (p.width == 0) p.width = whole_cells(static_cast<std::int64_t>(w * shrink));
  if (p.height == 0) p.height = whole_cells(static_cast<std::int64_t>(h * shrink));
}

void check_skipped_layers(const GenerateParams& p, const ModelDefaults& d) {
  const auto layers = skipped_layers(p);
  if (p.skip_layer_guidance == 0) return;
  if (d.skippable_layers == 0)
    fail<UsageError>(
        "skip_layer_guidance: this model's network has no layers to skip (Stable Diffusion 3 "
        "has); leave it out");
  for (const auto layer : layers)
    if (layer >= d.skippable_layers)
      fail<UsageError>("skip_layers: the model's layers are 0 to {}; {} is none of them",
                       d.skippable_layers - 1, layer);
}

void resolve_pictures(GenerateParams& p, const ModelDefaults& d) {
  choose_size(p, d);
  validate(p);  // a long picture may lead to a side beyond the limits
  const int w = static_cast<int>(p.width), h = static_cast<int>(p.height);
  const Fit how = p.fit == "crop" ? Fit::kCrop : p.fit == "pad" ? Fit::kPad : Fit::kStretch;
  p.init = fit(to_rgb(*p.init, kWhite), w, h, how);
  if (p.mask) {
    const Image given = mask_from_image(*p.mask);
    if (is_blank(threshold(given)))
      fail<UsageError>(
          "the mask has no white part, so nothing would be repainted; paint white what should "
          "change");
    p.mask = fit(given, w, h, how, ResizeFilter::kNearest);
    if (is_blank(threshold(*p.mask)))
      fail<UsageError>(
          "at {}x{} nothing is left of the mask's white part; choose a larger size, or only_masked",
          w, h);
  }
}

}  // namespace

std::vector<std::int64_t> skipped_layers(const GenerateParams& params) {
  std::vector<std::int64_t> layers;
  const std::string_view list = params.skip_layers;
  for (std::size_t at = 0; at <= list.size();) {
    const auto end = std::min(list.find(',', at), list.size());
    auto item = list.substr(at, end - at);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    std::int64_t n = 0;
    const auto [rest, error] = std::from_chars(item.data(), item.data() + item.size(), n);
    if (error != std::errc() || rest != item.data() + item.size() || n < 0)
      fail<UsageError>("skip_layers: \"{}\" is no list of layers; write it as in 7,8,9",
                       list.substr(0, 40));
    layers.push_back(n);
    at = end + 1;
  }
  return layers;
}

ModelDefaults ModelDefaults::from(const nlohmann::json& defaults, ModelDefaults d,
                                  const std::string& origin) {
  if (!defaults.is_object() || !defaults.contains("recommended")) return d;
  const ConfigReader r(defaults["recommended"], origin + " (recommended settings)");
  d.steps = r.integer("steps", d.steps, 1, 1000);
  d.width = r.integer("width", d.width, 8, 4096);
  d.height = r.integer("height", d.height, 8, 4096);
  d.guidance = r.number("guidance_scale", d.guidance);
  d.guidance_rescale = r.number("guidance_rescale", 0.0);
  d.sampler = r.text("sampler", "");
  return d;
}

GenerateParams resolve(const GenerateParams& params, const ModelDefaults& d) {
  validate(params);
  GenerateParams p = params;
  if (d.inpainting && !p.mask)
    fail<UsageError>(
        "this is an inpainting model; it needs a picture (--init) and a mask (--mask) whose white "
        "part is repainted");
  if (p.steps == 0) p.steps = d.steps;
  if (!p.guidance) p.guidance = d.guidance;
  if (p.guidance_rescale == 0) p.guidance_rescale = d.guidance_rescale;
  if (p.sampler.empty()) p.sampler = d.sampler;
  if (!p.strength) p.strength = p.mask ? 1.0 : 0.8;
  if (p.init) resolve_pictures(p, d);
  if (p.width == 0) p.width = d.width;
  if (p.height == 0) p.height = d.height;
  if (p.width % d.factor || p.height % d.factor)
    fail<UsageError>(
        "{}x{} is not a size this model can draw; width and height must be multiples of {}, such "
        "as {}x{}",
        p.width, p.height, d.factor, std::max<std::int64_t>(p.width / d.factor, 1) * d.factor,
        std::max<std::int64_t>(p.height / d.factor, 1) * d.factor);
  check_skipped_layers(p, d);
  if (p.init && static_cast<double>(p.steps) * *p.strength < 1)
    fail<UsageError>(
        "strength {} of {} steps leaves no step to run; raise the strength or the steps",
        *p.strength, p.steps);
  validate(p);  // what a model recommends keeps the same limits
  return p;
}

void warn_about_size(const GenerateParams& asked, const GenerateParams& p) {
  if (!asked.init) return;
  constexpr double kStretch = 1.05;  // less comes from whole multiples of 8 and is not seen
  const int w = asked.init->width, h = asked.init->height;
  const double stretch = static_cast<double>(w) * static_cast<double>(p.height) /
                         (static_cast<double>(h) * static_cast<double>(p.width));
  if (p.fit == "stretch" && (stretch > kStretch || 1 / stretch > kStretch))
    log_warning(
        "the picture of {}x{} pixels is stretched to {}x{}; give one of --width and --height to "
        "keep its shape",
        w, h, p.width, p.height);
  if (asked.width == 0 && asked.height == 0 && (p.width + 8 < w || p.height + 8 < h))
    log_warning(
        "the picture has {}x{} pixels, far more than the model draws well; drawing {}x{} "
        "(--width and --height choose another size)",
        w, h, p.width, p.height);
}

}  // namespace mezzo
