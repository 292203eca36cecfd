#include "image/infotext.h"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>
#include <utf8proc.h>

#include "image/infotext_defaults.h"
#include "image/text_encoding.h"

namespace mezzo {
namespace {

constexpr std::size_t kMinSettings = 3;  // fewer pairs are prompt text that happens to hold a colon
constexpr std::string_view kNegative = "Negative prompt:";

// The web UI's order. Rows of equal rank keep the order in which they are given.
constexpr std::string_view kKeyOrder[] = {"Steps",
                                          "Sampler",
                                          "Schedule type",
                                          "CFG scale",
                                          "Distilled CFG Scale",
                                          "Image CFG scale",
                                          "Seed",
                                          "Face restoration",
                                          "Size",
                                          "Model hash",
                                          "Model",
                                          "VAE hash",
                                          "VAE",
                                          "Variation seed",
                                          "Variation seed strength",
                                          "Seed resize from",
                                          "Denoising strength",
                                          "Clip skip",
                                          "ENSD",
                                          "Token merging ratio",
                                          "Init image hash",
                                          "RNG",
                                          "Tiling"};
constexpr std::string_view kLastKey = "Version";

std::size_t rank(std::string_view key) {
  if (key == kLastKey) return std::size(kKeyOrder) + 1;
  return static_cast<std::size_t>(std::ranges::find(kKeyOrder, key) - std::begin(kKeyOrder));
}

/// As Python's str.isspace(): unlike White_Space, with the separators 0x1C to 0x1F.
bool is_space(char32_t c) {
  if (c < 0x80) return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20);
  if (c == 0x85) return true;
  const auto k = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return k == UTF8PROC_CATEGORY_ZS || k == UTF8PROC_CATEGORY_ZL || k == UTF8PROC_CATEGORY_ZP;
}

/// A letter, digit or underscore, as \w of a regular expression over Unicode.
bool is_word(char32_t c) {
  if (c < 0x80)
    return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  const auto k = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) ||
         (k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO);
}

std::size_t skip_spaces(std::string_view text, std::size_t pos) {
  while (pos < text.size()) {
    std::size_t next = pos;
    if (!is_space(next_character(text, next))) break;
    pos = next;
  }
  return pos;
}

std::string_view strip(std::string_view text) {
  text.remove_prefix(skip_spaces(text, 0));
  while (!text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && text.size() - start < 4 &&
           (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80)
      --start;
    std::size_t pos = start;
    if (!is_space(next_character(text, pos)) || pos != text.size()) break;
    text = text.substr(0, start);
  }
  return text;
}

/// Behind the quoted string that starts at `pos`, if one does, holds something and is followed by a
/// comma or the end.
std::optional<std::size_t> end_of_quoted(std::string_view line, std::size_t pos) {
  if (pos >= line.size() || line[pos] != '"') return std::nullopt;
  std::size_t i = pos + 1;
  while (i < line.size() && line[i] != '"') i += line[i] == '\\' ? 2 : 1;
  if (i >= line.size() || i == pos + 1) return std::nullopt;
  ++i;
  return i == line.size() || line[i] == ',' ? std::optional(i) : std::nullopt;
}

/// Every `key: value` of a line: key of two or more characters, value quoted or up to the next
/// comma.
InfotextPairs find_pairs(std::string_view line) {
  InfotextPairs pairs;
  for (std::size_t pos = 0; pos < line.size();) {
    const std::size_t start = pos;
    if (!is_word(next_character(line, pos))) continue;
    const std::size_t second = pos;
    for (std::size_t next = pos; next < line.size(); pos = next) {
      const char32_t c = next_character(line, next);
      if (!is_word(c) && c != ' ' && c != '-' && c != '/') break;
    }
    // Were the run no key, no part of it would be one either: all of it is passed over.
    if (pos == second || pos >= line.size() || line[pos] != ':') continue;
    const std::string_view key = line.substr(start, pos - start);
    pos = skip_spaces(line, pos + 1);
    const std::size_t end =
        end_of_quoted(line, pos).value_or(std::min(line.find(',', pos), line.size()));
    pairs.emplace_back(key, line.substr(pos, end - pos));
    pos = end + 1;
  }
  return pairs;
}

std::string unquote(const std::string& value) {
  if (value.size() < 2 || !value.starts_with('"') || !value.ends_with('"')) return value;
  const auto json = nlohmann::json::parse(value, nullptr, false);
  return json.is_string() ? json.get<std::string>() : value;
}

/// "512x768" as two texts of digits.
std::optional<std::pair<std::string, std::string>> split_size(std::string_view value) {
  if (value.ends_with('\n')) value.remove_suffix(1);
  const auto x = value.find('x');
  if (x == std::string_view::npos) return std::nullopt;
  const auto digits = [](std::string_view s) {
    return !s.empty() && s.find_first_not_of("0123456789") == std::string_view::npos;
  };
  const auto a = value.substr(0, x), b = value.substr(x + 1);
  if (!digits(a) || !digits(b)) return std::nullopt;
  return std::pair(std::string(a), std::string(b));
}

void append_line(std::string& text, std::string_view line) {
  if (!text.empty()) text += '\n';
  text += line;
}

/// Lines before the settings: the prompt, from "Negative prompt:" on the negative prompt.
void read_prompts(std::string_view lines, Infotext& out) {
  bool negative = false;
  while (true) {
    const auto end = lines.find('\n');
    std::string_view line = strip(lines.substr(0, end));
    if (line.starts_with(kNegative)) {
      negative = true;
      line = strip(line.substr(kNegative.size()));
    }
    append_line(negative ? out.negative : out.prompt, line);
    if (end == std::string_view::npos) break;
    lines.remove_prefix(end + 1);
  }
}

}  // namespace

std::string quote_infotext(std::string_view value) {
  if (value.find_first_of(",:\n") == std::string_view::npos) return std::string(value);
  return nlohmann::json(to_valid_utf8(value)).dump();
}

std::string infotext_name(std::string_view name) {
  std::string out(name);
  std::ranges::replace_if(
      out, [](char c) { return c == ',' || c == ':' || c == '"' || c == '\n'; }, '_');
  return out;
}

std::string write_infotext(const InfotextRecipe& recipe) {
  InfotextPairs settings = recipe.settings;
  std::ranges::stable_sort(settings, {}, [](const auto& pair) { return rank(pair.first); });
  std::string line;
  for (const auto& [key, value] : settings) {
    if (value.empty()) continue;
    if (!line.empty()) line += ", ";
    line += key == value ? key : key + ": " + quote_infotext(value);
  }
  std::string text = recipe.prompt;
  if (!recipe.negative.empty()) text += "\nNegative prompt: " + recipe.negative;
  text += "\n" + line;
  return std::string(strip(text));
}

Infotext parse_infotext(std::string_view text) {
  Infotext out;
  text = strip(text);
  const auto last_start = text.rfind('\n') + 1;  // npos + 1 is 0
  out.settings_line = find_pairs(text.substr(last_start));
  if (out.settings_line.size() < kMinSettings) {
    out.settings_line.clear();
    read_prompts(text, out);
  } else if (last_start > 0) {
    read_prompts(text.substr(0, last_start - 1), out);
  }

  for (const auto& [key, raw] : out.settings_line) {
    if (raw.empty()) continue;
    const std::string value = unquote(raw);
    if (const auto size = split_size(value)) {
      out.fields[key + "-1"] = size->first;
      out.fields[key + "-2"] = size->second;
    } else {
      out.fields[key] = value;
    }
  }
  out.fields["Prompt"] = out.prompt;
  out.fields["Negative prompt"] = out.negative;
  fill_infotext_defaults(out);
  return out;
}

}  // namespace mezzo
