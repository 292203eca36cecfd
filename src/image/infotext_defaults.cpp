#include "image/infotext_defaults.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <compare>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace mezzo {
namespace {

struct Default {
  std::string_view key;
  InfotextValue value;
};

void fill(InfotextFields& fields, std::initializer_list<Default> defaults) {
  for (const Default& d : defaults) fields.try_emplace(std::string(d.key), d.value);
}

std::string text(const InfotextFields& fields, std::string_view key) {
  const auto it = fields.find(key);
  if (it == fields.end()) return {};
  const auto* s = std::get_if<std::string>(&it->second);
  return s ? *s : std::string();
}

std::optional<std::int64_t> whole(std::string_view s) {
  std::int64_t v = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), v);
  if (error != std::errc() || end != s.data() + s.size()) return std::nullopt;
  return v;
}

/// Before the present form of "Hires", texts gave the final size and the size of the first pass.
void restore_first_pass(InfotextFields& fields) {
  constexpr std::int64_t kUsual = 512, kMultiple = 64, kMaxSide = 1 << 20;
  auto first_w = whole(text(fields, "First pass size-1")),
       first_h = whole(text(fields, "First pass size-2"));
  if (!first_w || !first_h) return;
  const auto side = [&](std::string_view key) {
    return fields.contains(key) ? whole(text(fields, key)) : kUsual;
  };
  const auto width = side("Size-1"), height = side("Size-2");
  if (!width || !height || *width < 1 || *height < 1 || *width > kMaxSide || *height > kMaxSide)
    return;
  if (*first_w == 0 || *first_h == 0) {  // as many pixels as 512x512
    const double scale =
        std::sqrt(static_cast<double>(kUsual * kUsual) / static_cast<double>(*width * *height));
    const auto rounded = [&](std::int64_t v) {
      return static_cast<std::int64_t>(std::ceil(scale * static_cast<double>(v) / kMultiple)) *
             kMultiple;
    };
    first_w = rounded(*width);
    first_h = rounded(*height);
  }
  fields["Size-1"] = *first_w;
  fields["Size-2"] = *first_h;
  fields["Hires resize-1"] = *width;
  fields["Hires resize-2"] = *height;
}

/// A version by Python's PEP 440, as far as web UI versions go: "v1.7.0-225", "1.6.0-RC".
struct Version {
  std::int64_t release[4] = {};
  std::int64_t post = 0;  // -1: before the release
  auto operator<=>(const Version&) const = default;
};

std::optional<Version> parse_version(std::string_view s) {
  // Of "v1.7.0-225-g0123abc" the commit is left out.
  if (const auto first = s.find('-'); first != std::string_view::npos)
    if (const auto second = s.find('-', first + 1);
        second != std::string_view::npos && second > first + 1)
      s = s.substr(0, second);
  if (s.starts_with('v') || s.starts_with('V')) s.remove_prefix(1);
  const std::string_view numbers = s.substr(0, s.find('-'));
  std::string_view rest = s.substr(numbers.size());

  Version v;
  std::size_t part = 0;
  for (std::string_view left = numbers;; ++part) {
    const auto dot = left.find('.');
    const auto n = whole(left.substr(0, dot));
    if (!n || *n < 0 || part >= std::size(v.release)) return std::nullopt;
    v.release[part] = *n;
    if (dot == std::string_view::npos) break;
    left.remove_prefix(dot + 1);
  }
  if (rest.empty()) return v;
  rest.remove_prefix(1);
  if (const auto n = whole(rest)) {
    v.post = *n + 1;  // "-0" comes after the release too
    return v;
  }
  for (const std::string_view pre : {"rc", "RC", "alpha", "beta", "pre", "dev"}) {
    if (!rest.starts_with(pre)) continue;
    v.post = -1;
    return v;
  }
  return std::nullopt;
}

/// What the version that wrote the text did differently. Nothing is known of texts without one.
void mark_old_behaviour(InfotextFields& fields) {
  const auto version = parse_version(text(fields, "Version"));
  if (!version) return;
  const auto before = [&](std::string_view other) { return *version < *parse_version(other); };
  const std::string sampler = text(fields, "Sampler");
  if (before("1.6.0") && text(fields, "Prompt").find('[') != std::string::npos)
    fields["Old prompt editing timelines"] = true;
  if (before("1.6.0") && (sampler == "DDIM" || sampler == "PLMS")) fields["Pad conds v0"] = true;
  if (before("1.7.0-225")) fields["Downcast alphas_cumprod"] = true;
  if (before("1.8.0") && !text(fields, "Refiner").empty())
    fields["Refiner switch by sampling steps"] = true;
}

/// The weight of "(text:1.2)" when `at` is just behind its colon; moves `at` behind the bracket.
std::optional<double> explicit_weight(std::string_view prompt, std::size_t& at) {
  const auto skip = [&](std::size_t i) {
    return std::min(prompt.find_first_not_of(" \t\r\n\f\v", i), prompt.size());
  };
  const std::size_t start = skip(at);
  std::size_t digits = start;
  if (digits < prompt.size() && (prompt[digits] == '+' || prompt[digits] == '-')) ++digits;
  const std::size_t end = std::min(prompt.find_first_not_of(".0123456789", digits), prompt.size());
  const std::size_t close = skip(end);
  if (end == digits || close >= prompt.size() || prompt[close] != ')') return std::nullopt;
  at = close + 1;
  return std::strtod(std::string(prompt.substr(start, end - start)).c_str(), nullptr);
}

}  // namespace

bool uses_emphasis(std::string_view prompt) {
  // Closing a bracket multiplies the weight of every character since it was opened. Logarithms are
  // added instead, in fixed point (so that sums are exact), at the ends of each range: one pass
  // over the text whatever its nesting.
  constexpr double kUnit = 1e9;
  constexpr std::int64_t kNever =
      1'000'000'000'000;  // of weights that no product brings back to 1: 0, less, and infinity
  const std::int64_t emphasis = std::llround(std::log(1.1) * kUnit);
  std::vector<std::int64_t> change(prompt.size() + 1);
  std::vector<std::size_t> round, square;  // where brackets are open
  const auto close = [&](std::vector<std::size_t>& open, std::size_t at, std::int64_t by) {
    change[open.back()] += by;
    change[at] -= by;
    open.pop_back();
  };
  std::vector<bool> is_text(prompt.size());
  for (std::size_t i = 0; i < prompt.size();) {
    const char c = prompt[i];
    std::size_t next = i + 1;
    if (c == '(' || c == '[') {
      (c == '(' ? round : square).push_back(i);
    } else if (c == ')' && !round.empty()) {
      close(round, i, emphasis);
    } else if (c == ']' && !square.empty()) {
      close(square, i, -emphasis);
    } else if (const auto weight =
                   c == ':' && !round.empty() ? explicit_weight(prompt, next) : std::nullopt) {
      const bool positive = *weight > 0 && std::isfinite(*weight);
      close(round, i, positive ? std::llround(std::log(*weight) * kUnit) : kNever);
    } else {
      is_text[i] = true;
      if (c == '\\') ++next;
    }
    i = next;
  }
  while (!round.empty()) close(round, prompt.size(), emphasis);
  while (!square.empty()) close(square, prompt.size(), -emphasis);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < prompt.size(); ++i) {
    sum += change[i];
    if (is_text[i] && sum != 0) return true;
  }
  return false;
}

void fill_infotext_defaults(Infotext& infotext) {
  InfotextFields& fields = infotext.fields;
  fill(fields, {{"Clip skip", "1"}});
  if (const std::string name = text(fields, "Hypernet"); !name.empty()) {
    const std::string strength = text(fields, "Hypernet strength");
    fields["Prompt"] =
        infotext.prompt + "<hypernet:" + name + ":" + (strength.empty() ? "1.0" : strength) + ">";
  }
  if (!fields.contains("Hires resize-1")) {
    fields["Hires resize-1"] = std::int64_t{0};
    fields["Hires resize-2"] = std::int64_t{0};
  }
  restore_first_pass(fields);
  fill(fields, {{"Hires sampler", "Use same sampler"},
                {"Hires schedule type", "Use same scheduler"},
                {"Hires checkpoint", "Use same checkpoint"},
                {"Hires prompt", ""},
                {"Hires negative prompt", ""},
                {"Mask mode", "Inpaint masked"},
                {"Masked content", "original"},
                {"Inpaint area", "Whole picture"},
                {"Masked area padding", std::int64_t{32}},
                {"RNG", "GPU"},
                {"Schedule type", "Automatic"},
                {"Schedule max sigma", std::int64_t{0}},
                {"Schedule min sigma", std::int64_t{0}},
                {"Schedule rho", std::int64_t{0}},
                {"VAE Encoder", "Full"},
                {"VAE Decoder", "Full"},
                {"FP8 weight", "Disable"}});
  if (text(fields, "FP8 weight") != "Disable")
    fill(fields, {{"Cache FP16 weight for LoRA", false}});
  if (uses_emphasis(infotext.prompt) || uses_emphasis(infotext.negative))
    fill(fields, {{"Emphasis", "Original"}});
  fill(fields, {{"Refiner switch by sampling steps", false}});
  mark_old_behaviour(fields);
}

}  // namespace mezzo
