// The field table of a request, and everything that is made from it: text and JSON to fields and
// back, range checks.
#include "mezzotint/params.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/ascii.h"
#include "base/error.h"
#include "sampling/registry.h"

namespace mezzo {
namespace {

using Json = nlohmann::ordered_json;
using Params = GenerateParams;

constexpr double kMaxSeed = 9223372036854775807.0;
constexpr std::size_t kMaxPromptBytes = 16 << 10;
constexpr std::size_t kMaxPrompts = 100'000;
constexpr std::size_t kMaxJsonBytes = 8u << 20;
constexpr int kMaxImageSide = 16'384;
constexpr std::int64_t kSizeStep = 8;  // pixels in one sample of the latent picture

constexpr std::array kFields = {
    Field{"negative_prompt", &Params::negative_prompt, 0, 0, "", "none",
          "What the picture should not show."},
    Field{"prompt_2", &Params::prompt_2, 0, 0, "", "the prompt",
          "Another prompt for the second text encoder, CLIP-G (Stable Diffusion 3)."},
    Field{"prompt_3", &Params::prompt_3, 0, 0, "", "the prompt",
          "Another prompt for the third text encoder, T5 (Stable Diffusion 3)."},
    Field{"negative_prompt_2", &Params::negative_prompt_2, 0, 0, "", "the negative prompt",
          "Another negative prompt for the second text encoder."},
    Field{"negative_prompt_3", &Params::negative_prompt_3, 0, 0, "", "the negative prompt",
          "Another negative prompt for the third text encoder."},
    Field{"steps", &Params::steps, 1, 1000, "", "the model's",
          "Denoising steps: more are slower and finer."},
    Field{"guidance", &Params::guidance, 0, 100, "", "the model's",
          "How closely to follow the prompt; 1 or less turns guidance off and halves the work."},
    Field{"guidance_rescale", &Params::guidance_rescale, 0, 1, "", "0",
          "Tones down the contrast that strong guidance adds."},
    Field{
        "guidance_start", &Params::guidance_start, 0, 1, "", "0",
        "Share of the steps after which guidance begins; steps without it take half of the time."},
    Field{"guidance_stop", &Params::guidance_stop, 0, 1, "", "1",
          "Share of the steps after which guidance ends."},
    Field{"max_drift", &Params::max_drift, 0, 1, "", "0",
          "Saves time: parts of a step are used again in the next ones while they have changed by "
          "less than this share, such as 0.1; 0 computes everything."},
    Field{"width", &Params::width, 8, 4096, "", "the model's", "Width in pixels, a multiple of 8."},
    Field{"height", &Params::height, 8, 4096, "", "the model's",
          "Height in pixels, a multiple of 8."},
    Field{"seed", &Params::seed, -1, kMaxSeed, "", "-1",
          "Number that the picture grows from; -1 draws one. Further pictures count up from it."},
    Field{"count", &Params::count, 1, 1024, "", "1", "Pictures for each prompt."},
    Field{"sampler", &Params::sampler, 0, 0, "", "the model's",
          "Sampling method, such as euler_a or dpmpp_2m."},
    Field{"schedule", &Params::schedule, 0, 0, "", "the model's",
          "How noise is spread over the steps, such as karras or exponential."},
    Field{"spacing", &Params::spacing, 0, 0, "leading|trailing|linspace", "the model's",
          "Which of the training steps are visited."},
    Field{"prediction", &Params::prediction, 0, 0, "epsilon|v_prediction|sample", "the model's",
          "What the network predicts, for files that do not say so."},
    Field{"eta", &Params::eta, 0, 1, "", "0",
          "Fresh noise at each step, where the sampler takes any."},
    Field{"rng", &Params::rng, 0, 0, "nv|cpu", "nv",
          "Random numbers: nv is the same everywhere, cpu repeats PyTorch's CPU generator."},
    Field{"clip_skip", &Params::clip_skip, 1, 12, "", "1",
          "Layer of the text encoder that is used: 1 is the last, 2 the one before."},
    Field{"t5_length", &Params::t5_length, 1, 512, "", "the model's",
          "Tokens that the T5 text encoder reads (Stable Diffusion 3): 77 is faster than 256."},
    Field{"skip_layer_guidance", &Params::skip_layer_guidance, 0, 100, "", "0",
          "Strength of skip-layer guidance, which mends shapes in Stable Diffusion 3.5 Medium "
          "(2.5); 0 is off."},
    Field{"skip_layers", &Params::skip_layers, 0, 0, "", "7,8,9",
          "Layers of the network that skip-layer guidance leaves out."},
    Field{"skip_layer_start", &Params::skip_layer_start, 0, 1, "", "0.01",
          "Share of the steps after which skip-layer guidance begins."},
    Field{"skip_layer_stop", &Params::skip_layer_stop, 0, 1, "", "0.2",
          "Share of the steps after which skip-layer guidance ends."},
    Field{"strength", &Params::strength, 0, 1, "", "0.8, with a mask 1",
          "How much of the starting picture is redrawn: near 0 keeps it, 1 replaces it."},
    Field{"mask_blur", &Params::mask_blur, 0, 256, "", "4",
          "Pixels over which the repainted part joins the kept one, inside the mask."},
    Field{"masked_content", &Params::masked_content, 0, 0, "original|fill|noise|empty", "original",
          "What the repainted part begins as; with strength 1 it begins as noise alone."},
    Field{"only_masked", &Params::only_masked, 0, 1, "", "false",
          "Draw the surroundings of the mask at the full size and put them back: finer details."},
    Field{"mask_padding", &Params::mask_padding, 0, 1024, "", "32",
          "With only_masked: pixels around the mask that are looked at too."},
    Field{"fit", &Params::fit, 0, 0, "stretch|crop|pad", "stretch",
          "How a starting picture of another shape is brought to the size."},
    Field{"keep_unmasked", &Params::keep_unmasked, 0, 1, "", "true",
          "Put the kept pixels of the starting picture back unchanged."},
};

/// The type of the member that a table row points to, without the class.
template <class M>
struct MemberType;
template <class T>
struct MemberType<T Params::*> {
  using type = T;
};
template <class M>
using MemberTypeT = typename MemberType<std::remove_cvref_t<M>>::type;

std::string join_choices(std::string_view choices) {
  std::string text;
  for (const char c : choices) text += c == '|' ? std::string(", ") : std::string(1, c);
  return text;
}

bool is_choice(std::string_view choices, std::string_view value) {
  while (!choices.empty()) {
    const auto end = choices.find('|');
    if (choices.substr(0, end) == value) return true;
    if (end == std::string_view::npos) break;
    choices.remove_prefix(end + 1);
  }
  return false;
}

std::string range_text(const Field& f) {
  if (f.max == kMaxSeed)
    return fmt::format("from {} to {}", f.min, std::numeric_limits<std::int64_t>::max());
  return fmt::format("from {} to {}", f.min, f.max);
}

/// The value, shortened: whole documents arrive here when quotes are missing.
std::string shown(std::string_view value) {
  constexpr std::size_t kShown = 40;
  if (value.size() > 1 && value.starts_with('"') && value.ends_with('"'))  // as JSON has texts
    value = value.substr(1, value.size() - 2);
  if (value.size() <= kShown) return fmt::format("\"{}\"", value);
  return fmt::format("\"{}...\"", value.substr(0, kShown));
}

[[noreturn]] void fail_range(const Field& f, std::string_view value, std::string_view kind) {
  fail<UsageError>("{}: {} is not usable; give {} {}", f.name, value, kind, range_text(f));
}

void check_field(const Field& f, const std::string& value) {
  if (f.choices.empty() || value.empty() || is_choice(f.choices, value)) return;
  fail<UsageError>("{}: {} is not known; choose one of {}", f.name, shown(value),
                   join_choices(f.choices));
}

void check_field(const Field& f, std::int64_t value) {
  const auto number = static_cast<double>(value);
  if (number < f.min || number > f.max) fail_range(f, std::to_string(value), "a whole number");
  if ((f.name == "width" || f.name == "height") && value % kSizeStep != 0) {
    const std::int64_t below = value / kSizeStep * kSizeStep;
    fail<UsageError>("{}: {} is not a multiple of {}; give {} or {}", f.name, value, kSizeStep,
                     std::max(below, kSizeStep), std::min<std::int64_t>(below + kSizeStep, 4096));
  }
}

void check_field(const Field& f, double value) {
  if (!(value >= f.min && value <= f.max)) fail_range(f, fmt::format("{}", value), "a number");
}

void check_field(const Field&, bool) {}

void check_field(const Field& f, const std::optional<double>& value) {
  if (value) check_field(f, *value);
}

std::string parse(const Field&, std::string_view text, std::string*) { return std::string(text); }

std::string_view without_plus(std::string_view text) {
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
  return text;
}

template <class T>
requires(std::is_same_v<T, std::int64_t> || std::is_same_v<T, double>) T
    parse(const Field& f, std::string_view text, T*) {
  constexpr std::string_view kKind = std::is_integral_v<T> ? "a whole number" : "a number";
  const std::string_view digits = without_plus(text);
  T value{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty())
    fail_range(f, shown(text), kKind);
  return value;
}

std::optional<double> parse(const Field& f, std::string_view text, std::optional<double>*) {
  return parse(f, text, static_cast<double*>(nullptr));
}

bool parse(const Field& f, std::string_view text, bool*) {
  const std::string lower = ascii_lower(text);
  if (is_choice("true|1|yes|on", lower)) return true;
  if (is_choice("false|0|no|off", lower)) return false;
  fail<UsageError>("{}: {} is neither true nor false; give one of them", f.name, shown(text));
}

const Field& known_field(std::string_view name) {
  const Field* f = find_field(name);
  if (f == nullptr) {
    std::string names;
    for (const Field& g : kFields) names += fmt::format("{}{}", names.empty() ? "" : ", ", g.name);
    fail<UsageError>("{} is not a setting; the settings are {}", shown(name), names);
  }
  return *f;
}

// JSON to a member. The message says what was expected; the range is checked afterwards.
template <class T>
T from_json(const Field& f, const Json& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (value.is_string()) return value.get<std::string>();
    fail<UsageError>("{}: {} is not a text; put it in quotes", f.name, shown(value.dump()));
  } else if constexpr (std::is_same_v<T, bool>) {
    if (value.is_boolean()) return value.get<bool>();
    fail<UsageError>("{}: {} is neither true nor false; give one of them", f.name,
                     shown(value.dump()));
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    // JavaScript has one kind of number: 20.0 is a whole number too.
    constexpr double kExact = 9007199254740992.0;
    if (value.is_number_float()) {
      const double d = value.get<double>();
      if (d == std::floor(d) && std::abs(d) <= kExact) return static_cast<std::int64_t>(d);
    } else if (value.is_number_unsigned()) {
      if (const auto u = value.get<std::uint64_t>(); std::in_range<std::int64_t>(u))
        return static_cast<std::int64_t>(u);
    } else if (value.is_number_integer()) {
      return value.get<std::int64_t>();
    }
    fail_range(f, shown(value.dump()), "a whole number");
  } else {
    if (value.is_number()) return value.get<double>();
    fail_range(f, shown(value.dump()), "a number");
  }
}

void set_from_json(Params& params, const Field& f, const Json& value) {
  std::visit(
      [&](auto member) {
        using T = MemberTypeT<decltype(member)>;
        T parsed = from_json<T>(f, value);
        check_field(f, parsed);
        params.*member = std::move(parsed);
      },
      f.member);
}

Json parse_object(std::string_view text) {
  if (text.size() > kMaxJsonBytes)
    fail<UsageError>("the request is larger than {} bytes; shorten it", kMaxJsonBytes);
  // A request is flat: prompts are the only list.
  constexpr int kDepth = 2;
  const auto shallow = [](int depth, Json::parse_event_t, Json&) {
    if (depth > kDepth)
      throw UsageError("the request is nested too deeply; it is one flat JSON object");
    return true;
  };
  try {
    Json json = Json::parse(text, shallow);
    if (!json.is_object())
      fail<UsageError>("the request is not a JSON object; write {{\"prompt\": \"...\"}}");
    return json;
  } catch (const Json::exception& e) {
    fail<UsageError>("the request is not valid JSON ({}); write {{\"prompt\": \"...\"}}", e.what());
  }
}

std::string json_text(std::string_view key, const Json& value) {
  if (!value.is_string())
    fail<UsageError>("{}: {} is not a text; put it in quotes", key, shown(value.dump()));
  return value.get<std::string>();
}

bool set_prompts(Params& params, std::string_view key, const Json& value) {
  if (key == "prompt") {
    params.prompts = {json_text(key, value)};
  } else if (key == "prompts") {
    if (!value.is_array()) fail<UsageError>("prompts: not a list; write [\"...\", \"...\"]");
    params.prompts.clear();
    for (const Json& p : value) params.prompts.push_back(json_text(key, p));
  } else {
    return false;
  }
  return true;
}

template <class T>
bool is_unset(const Field& f, const T& value) {
  if constexpr (std::is_same_v<T, std::string>)
    return value.empty() && f.name != "negative_prompt";
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return value == 0 &&
           (f.name == "steps" || f.name == "width" || f.name == "height" || f.name == "t5_length");
  else if constexpr (std::is_same_v<T, std::optional<double>>)
    return !value;
  else
    return false;
}

void check_picture(std::string_view name, const std::optional<Image>& image) {
  if (!image) return;
  const bool sides = image->width > 0 && image->height > 0 && image->width <= kMaxImageSide &&
                     image->height <= kMaxImageSide;
  if (!sides)
    fail<UsageError>("{}: {}x{} pixels are not usable; give a picture of 1 to {} pixels a side",
                     name, image->width, image->height, kMaxImageSide);
  const bool channels = image->channels == 1 || image->channels == 3 || image->channels == 4;
  if (!channels ||
      image->pixels.size() != image->row_bytes() * static_cast<std::size_t>(image->height))
    fail<UsageError>(
        "{}: {} samples do not make {}x{} pixels of {} channels; give 1, 3 or 4 channels", name,
        image->pixels.size(), image->width, image->height, image->channels);
}

void check_pictures(const Params& params) {
  check_picture("init", params.init);
  check_picture("mask", params.mask);
  if (!params.mask) return;
  if (!params.init) fail<UsageError>("mask: there is no picture to repaint; give one with init");
  if (params.mask->width != params.init->width || params.mask->height != params.init->height)
    fail<UsageError>("mask: {}x{} pixels, but init has {}x{}; make them the same size",
                     params.mask->width, params.mask->height, params.init->width,
                     params.init->height);
}

void check_prompts(const Params& params) {
  if (params.prompts.empty()) fail<UsageError>("prompt: there is none; say what to draw");
  if (params.prompts.size() > kMaxPrompts)
    fail<UsageError>("prompts: {} are too many for one request; give at most {}",
                     params.prompts.size(), kMaxPrompts);
  const auto check_length = [](std::string_view name, const std::string& text) {
    if (text.size() > kMaxPromptBytes)
      fail<UsageError>("{}: {} bytes are too long; give at most {}", name, text.size(),
                       kMaxPromptBytes);
  };
  for (const std::string& p : params.prompts) check_length("prompt", p);
  for (const char* name :
       {"negative_prompt", "prompt_2", "prompt_3", "negative_prompt_2", "negative_prompt_3"})
    check_length(name, params.*std::get<std::string Params::*>(known_field(name).member));
}

}  // namespace

std::span<const Field> generate_fields() { return kFields; }

const Field* find_field(std::string_view name) {
  const auto it =
      std::find_if(kFields.begin(), kFields.end(), [&](const Field& f) { return f.name == name; });
  return it == kFields.end() ? nullptr : &*it;
}

void set_field(GenerateParams& params, std::string_view name, std::string_view text) {
  const Field& f = known_field(name);
  std::visit(
      [&](auto member) {
        using T = MemberTypeT<decltype(member)>;
        T parsed = parse(f, text, static_cast<T*>(nullptr));
        check_field(f, parsed);
        params.*member = std::move(parsed);
      },
      f.member);
}

void validate(const GenerateParams& params) {
  check_prompts(params);
  for (const Field& f : kFields)
    std::visit(
        [&](auto member) {
          if (!is_unset(f, params.*member)) check_field(f, params.*member);
        },
        f.member);
  sampling::check_names(params.sampler, params.schedule);
  check_pictures(params);
  // Pictures of a prompt count up from its seed.
  if (params.seed > std::numeric_limits<std::int64_t>::max() - (params.count - 1))
    fail<UsageError>("seed: {} leaves no room for {} pictures; give a smaller one", params.seed,
                     params.count);
}

std::string to_json(const GenerateParams& params) {
  Json json = Json::object();
  if (params.prompts.size() == 1)
    json["prompt"] = params.prompts.front();
  else
    json["prompts"] = params.prompts;
  for (const Field& f : kFields)
    std::visit(
        [&](auto member) {
          const auto& value = params.*member;
          if (is_unset(f, value)) return;
          if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::optional<double>>)
            json[std::string(f.name)] = *value;
          else
            json[std::string(f.name)] = value;
        },
        f.member);
  // Bytes that are not UTF-8 become the replacement character: a prompt comes from outside and must
  // not throw here.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

GenerateParams params_from_json(std::string_view text) {
  GenerateParams params;
  const Json json = parse_object(text);
  for (const auto& [key, value] : json.items()) {
    if (value.is_null()) continue;  // as not given
    if (!set_prompts(params, key, value)) set_from_json(params, known_field(key), value);
  }
  return params;
}

}  // namespace mezzo
