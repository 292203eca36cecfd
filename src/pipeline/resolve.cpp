#include "pipeline/resolve.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/ascii.h"
#include "base/config.h"
#include "base/error.h"
#include "base/log.h"
#include "base/utf8.h"
#include "image/fit.h"
#include "image/mask.h"
#include "image/pixels.h"

namespace mezzo {
namespace {

constexpr Rgb kWhite = {255, 255, 255};
constexpr double kFarMore = 2.25;  // times the pixels: 768x768 for a model of 512x512

/// The size at which a picture is drawn again. Where the request names one side, the other follows
/// the picture's shape; where it names none, it is the picture's own size, or, where that is far
/// more than the model knows, as many pixels as the model's size.
void choose_size(GenerateParams& p, const ModelDefaults& d) {
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

std::vector<std::string> texts_of(const nlohmann::json& list) {
  std::vector<std::string> texts;
  if (list.is_array())
    for (const auto& text : list)
      if (text.is_string()) texts.push_back(ascii_lower(text.get<std::string>()));
  return texts;
}

/// The objects of objects.json and their synonyms.
std::vector<std::string> object_names(const nlohmann::json& defaults) {
  auto names = texts_of(defaults.value("objects", nlohmann::json()));
  const auto synonyms = defaults.value("synonyms", nlohmann::json());
  if (!names.empty() && synonyms.is_object())
    for (const auto& list : synonyms)
      for (auto& name : texts_of(list)) names.push_back(std::move(name));
  return names;
}

/// In lower case, with a space in place of whatever stands between words.
std::string words_of(std::string_view prompt) {
  std::string words = ascii_lower(prompt);
  for (char& c : words)
    if (std::string_view(" \t\n\r,.;:!?()[]{}<>\"/|").find(c) != std::string_view::npos) c = ' ';
  return words;
}

/// Whether a name stands among words, as one or as many: apple, apples; cherries, cherry.
bool has_name(std::string_view words, std::string_view name) {
  constexpr std::array<std::string_view, 5> kEndings = {"", "s", "es", "y", "ies"};
  constexpr std::size_t kShortest = 4;  // of what is left without an ending
  for (const std::string_view ending : {"ies", "y", "s"})
    if (name.ends_with(ending) && name.size() >= kShortest + ending.size()) {
      name.remove_suffix(ending.size());
      break;
    }
  for (auto at = words.find(name); at != words.npos; at = words.find(name, at + 1)) {
    if (at > 0 && words[at - 1] != ' ') continue;
    const auto rest = words.substr(at + name.size());
    if (std::ranges::count(kEndings, rest.substr(0, rest.find(' '))) > 0) return true;
  }
  return false;
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
  if (!defaults.is_object()) return d;
  d.objects = object_names(defaults);
  if (!defaults.contains("recommended")) return d;
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
        "the picture of {}x{} pixels is stretched to {}x{}; give one of width and height to "
        "keep its shape",
        w, h, p.width, p.height);
  if (asked.width == 0 && asked.height == 0 && (p.width + 8 < w || p.height + 8 < h))
    log_warning(
        "the picture has {}x{} pixels, far more than the model draws well; drawing {}x{} "
        "(width and height choose another size)",
        w, h, p.width, p.height);
}

void warn_about_reach(const GenerateParams& p, const ModelDefaults& d) {
  const auto is_blank = [](const std::string& text) {
    return text.find_first_not_of(" \t\r\n") == text.npos;
  };
  if (!p.init && is_blank(p.prompt_2) && is_blank(p.prompt_3) &&
      std::ranges::any_of(p.prompts, is_blank))
    log_warning("the prompt is empty, so the model draws what it likes; say what to draw");
  if (d.objects.empty()) return;
  constexpr std::size_t kShown = 60;  // bytes of a prompt
  constexpr std::size_t kExamples = 6;
  for (const std::string& prompt : p.prompts) {
    const std::string words = words_of(prompt);
    if (words.find_first_not_of(' ') == words.npos ||
        std::ranges::any_of(d.objects, [&](const auto& name) { return has_name(words, name); }))
      continue;
    log_warning(
        "\"{}\" names nothing that this small model can draw, so expect something else; it knows "
        "things such as {}",
        to_valid_utf8(prompt.substr(0, kShown)),
        fmt::join(std::span(d.objects).first(std::min(d.objects.size(), kExamples)), ", "));
    break;
  }
  if (static_cast<double>(p.width * p.height) > kFarMore * static_cast<double>(d.width * d.height))
    log_warning(
        "{}x{} is far beyond the {}x{} that this small model was made for, so expect odd pictures; "
        "leave out width and height for its own size",
        p.width, p.height, d.width, d.height);
}

void warn_about_unused(const GenerateParams& request, const std::vector<std::string>& unused) {
  const auto given = nlohmann::json::parse(to_json(request)),
             usual = nlohmann::json::parse(to_json(GenerateParams()));
  for (const std::string& field : unused)
    if (given.value(field, nlohmann::json()) != usual.value(field, nlohmann::json()))
      log_warning("{} does nothing with this model", field);
}

}  // namespace mezzo
