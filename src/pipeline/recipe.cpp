#include "pipeline/recipe.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/ascii.h"
#include "base/error.h"
#include "image/codec.h"
#include "image/infotext.h"
#include "mezzotint/files.h"

namespace mezzo {
namespace {

using Json = nlohmann::ordered_json;

/// The name that people know: "Euler a" for euler_a. Names that are not listed stay as they are.
std::string display_name(const std::vector<std::pair<std::string, std::string>>& names,
                         const std::string& name) {
  const auto it =
      std::find_if(names.begin(), names.end(), [&](const auto& row) { return row.first == name; });
  return it == names.end() ? name : it->second;
}

bool is_own_schedule(const std::string& schedule) {
  return schedule.empty() || schedule == "model";
}

/// Keys of infotext and the field each sets.
struct InfotextKey {
  std::string_view key, field;
};
constexpr std::array kInfotextKeys = {
    InfotextKey{"Steps", "steps"},
    InfotextKey{"Sampler", "sampler"},
    InfotextKey{"Schedule type", "schedule"},
    InfotextKey{"CFG scale", "guidance"},
    InfotextKey{"Seed", "seed"},
    InfotextKey{"Size-1", "width"},
    InfotextKey{"Size-2", "height"},
    InfotextKey{"Denoising strength", "strength"},
    InfotextKey{"Clip skip", "clip_skip"},
    InfotextKey{"Mask blur", "mask_blur"},
    InfotextKey{"Masked area padding", "mask_padding"},
    InfotextKey{"Eta", "eta"},
    InfotextKey{"Guidance rescale", "guidance_rescale"},
    InfotextKey{"Max drift", "max_drift"},
};

/// A value of the settings as text, or nothing where the key is not there.
std::optional<std::string> text_of(const Infotext& infotext, std::string_view key) {
  const auto it = infotext.fields.find(key);
  if (it == infotext.fields.end()) return std::nullopt;
  return std::visit(
      [](const auto& value) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>)
          return value;
        else
          return fmt::format("{}", value);
      },
      it->second);
}

/// masked_content, and what the web UI calls it.
constexpr std::array kMaskedContents = {
    std::pair{"original", "original"}, std::pair{"fill", "fill"},
    std::pair{"noise", "latent noise"}, std::pair{"empty", "latent nothing"}};

template <class Add>
void add_mask(const GenerateParams& p, const Add& add) {
  add("Mask blur", fmt::format("{}", p.mask_blur));
  for (const auto& [ours, theirs] : kMaskedContents)
    if (p.masked_content == ours && p.masked_content != "original") add("Masked content", theirs);
  if (!p.only_masked) return;
  add("Inpaint area", "Only masked");
  add("Masked area padding", fmt::format("{}", p.mask_padding));
}

void read_mask(const Infotext& infotext, GenerateParams& p) {
  p.only_masked = text_of(infotext, "Inpaint area") == "Only masked";
  for (const auto& [ours, theirs] : kMaskedContents)
    if (text_of(infotext, "Masked content") == theirs) p.masked_content = ours;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return ascii_lower(x) == ascii_lower(y); });
}

}  // namespace

std::string recipe_infotext(const PictureRecipe& recipe) {
  const GenerateParams& p = recipe.params;
  InfotextRecipe text{.prompt = recipe.prompt, .negative = p.negative_prompt, .settings = {}};
  const auto add = [&](const char* key, std::string value) {
    text.settings.emplace_back(key, std::move(value));
  };
  add("Steps", fmt::format("{}", p.steps));
  add("Sampler",
      display_name(sampler_names(), p.sampler.empty() ? recipe.model.sampler : p.sampler));
  if (!is_own_schedule(p.schedule))
    add("Schedule type", display_name(schedule_names(), p.schedule));
  if (p.guidance) add("CFG scale", fmt::format("{}", *p.guidance));
  add("Seed", fmt::format("{}", recipe.seed));
  add("Size", fmt::format("{}x{}", p.width, p.height));
  add("Model hash", recipe.model.hash);
  add("Model", infotext_name(recipe.model.name));
  if (p.init && p.strength) add("Denoising strength", fmt::format("{}", *p.strength));
  if (p.clip_skip > 1) add("Clip skip", fmt::format("{}", p.clip_skip));
  add("RNG", p.rng == "cpu" ? "CPU" : "NV");
  if (p.mask) add_mask(p, add);
  if (p.eta != 0) add("Eta", fmt::format("{}", p.eta));
  if (p.guidance_rescale != 0) add("Guidance rescale", fmt::format("{}", p.guidance_rescale));
  if (p.max_drift != 0) {
    const Reuse& r = recipe.reuse;
    add("Max drift", fmt::format("{}", p.max_drift));
    add("Reused", fmt::format("{} of {} calls", r.reused, r.calls));
    if (r.reused) add("Drift", fmt::format("{:.3f}", r.drift));
  }
  add("Version", version());
  return write_infotext(text);
}

std::string recipe_request(const PictureRecipe& recipe) {
  GenerateParams one = recipe.params;
  if (!one.init) one.strength.reset();
  one.init.reset();  // pictures are not part of the text
  one.mask.reset();
  one.prompts = {recipe.prompt};
  one.seed = recipe.seed;
  one.count = 1;
  Json json = Json::parse(to_json(one));
  json["model"] = recipe.model.name;
  if (!recipe.model.hash.empty()) json["model_hash"] = recipe.model.hash;
  json["version"] = version();
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

GenerateParams recipe_from_request(const std::string& text, std::string* model_name) {
  const Json parsed = Json::parse(text, nullptr, false);
  if (!parsed.is_object()) fail<UsageError>("its recipe is damaged; there is nothing to repeat");
  Json request = Json::object();
  for (const auto& [key, value] : parsed.items()) {
    if (key == "model" && value.is_string() && model_name != nullptr)
      *model_name = value.get<std::string>();
    if (key != "model" && key != "model_hash" && key != "version") request[key] = value;
  }
  return params_from_json(request.dump());
}

GenerateParams recipe_from_infotext(const std::string& text, std::string* model_name) {
  const Infotext infotext = parse_infotext(text);
  if (infotext.settings_line.empty())
    fail<UsageError>("its text holds no settings; there is nothing to repeat");
  GenerateParams params;
  params.prompts = {infotext.prompt};
  params.negative_prompt = infotext.negative;
  for (const auto& [key, field] : kInfotextKeys)
    if (const auto value = text_of(infotext, key); value && !value->empty())
      set_field(params, field, *value);
  read_mask(infotext, params);
  // Files from before there were schedule types say nothing: the model's own.
  const auto& line = infotext.settings_line;
  if (std::ranges::find(line, "Schedule type", &InfotextPairs::value_type::first) == line.end())
    params.schedule.clear();
  // The strength of the second pass of a picture that began as noise.
  if (infotext.fields.contains("Hires upscale")) params.strength.reset();
  // "GPU" is the web UI's usual source; its numbers are the ones that "nv" computes.
  if (const auto rng = text_of(infotext, "RNG"))
    params.rng = same_ignoring_case(*rng, "CPU") ? "cpu" : "nv";
  if (const auto model = text_of(infotext, "Model"); model && model_name != nullptr)
    *model_name = *model;
  return params;
}

namespace {

Recipe recipe_of(const Metadata& metadata, const std::string& name) {
  if (metadata.empty())
    fail<UsageError>(
        "{}: holds no recipe (it was not made by such a program, or its texts were removed); give "
        "the settings yourself",
        name);
  try {
    Recipe recipe{.params = {}, .model = {}, .infotext = metadata.parameters};
    recipe.params = metadata.request.empty()
                        ? recipe_from_infotext(metadata.parameters, &recipe.model)
                        : recipe_from_request(metadata.request, &recipe.model);
    return recipe;
  } catch (const UsageError& e) {
    fail<UsageError>("{}: {}", name, e.what());
  }
}

}  // namespace

GenerateParams read_recipe(const std::string& path, std::string* model_name) {
  Recipe recipe = recipe_of(read_image(path).metadata, path);
  if (model_name != nullptr && !recipe.model.empty()) *model_name = std::move(recipe.model);
  return std::move(recipe.params);
}

Recipe decode_recipe(std::span<const std::byte> file, const std::string& name) {
  return recipe_of(decode_image(file, {.name = name}).metadata, name);
}

Recipe parse_recipe(const std::string& infotext) {
  Recipe recipe{.params = {}, .model = {}, .infotext = infotext};
  recipe.params = recipe_from_infotext(infotext, &recipe.model);
  return recipe;
}

}  // namespace mezzo
