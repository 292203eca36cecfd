#include "text/character_map.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace mezzo {
namespace {

constexpr std::size_t kUnit = sizeof(std::uint32_t);
// The longest that NFKC makes of one character has 33 bytes.
constexpr std::size_t kMaxReplacement = 64;
// A longer grapheme is taken character by character, whatever the table says of it as a whole.
constexpr std::size_t kWholeGrapheme = 6;

std::uint32_t little_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = kUnit; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// Parts of a unit of the double array.
bool has_leaf(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
std::uint32_t value_of(std::uint32_t unit) { return unit & 0x7FFFFFFFu; }
std::uint32_t label(std::uint32_t unit) { return unit & 0x800000FFu; }
std::uint32_t offset(std::uint32_t unit) { return unit >> 10 << ((unit & 0x200u) >> 6); }

}  // namespace

CharacterMap::CharacterMap(std::string_view precompiled, const std::string& origin) {
  if (precompiled.empty()) return;
  const auto refuse = [&](std::string_view why) {
    fail<LoadError>("{}: the table of characters {}; get another copy", origin, why);
  };
  if (precompiled.size() < kUnit) refuse("is too short");
  const std::size_t size = little_endian(precompiled);
  precompiled.remove_prefix(kUnit);
  if (size == 0 || size % kUnit != 0 || size > precompiled.size())
    refuse("is larger or smaller than it says");
  units_.reserve(size / kUnit);
  for (std::size_t at = 0; at < size; at += kUnit)
    units_.push_back(little_endian(precompiled.substr(at)));
  replacements_ = precompiled.substr(size);
  if (!replacements_.empty() && replacements_.back() != '\0') refuse("breaks off");
  for (std::size_t at = 0, end = 0; at < replacements_.size(); at = end + 1) {
    end = replacements_.find('\0', at);
    if (end - at > kMaxReplacement) refuse("makes too much of one character");
  }
}

/// What the shortest entry that `text` begins with becomes. The shortest, though SentencePiece
/// itself takes the longest: ids are those of the tokenizers library.
std::optional<std::string_view> CharacterMap::find(std::string_view text) const {
  if (units_.empty()) return std::nullopt;
  std::size_t node = offset(units_[0]);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || label(units_[node]) != byte) return std::nullopt;
    const std::uint32_t unit = units_[node];
    node ^= offset(unit);
    if (!has_leaf(unit)) continue;
    if (node >= units_.size() || value_of(units_[node]) >= replacements_.size())
      return std::nullopt;
    return std::string_view(replacements_.c_str() + value_of(units_[node]));
  }
  return std::nullopt;
}

std::string CharacterMap::apply(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t end = grapheme_end(text, pos);
    if (end - pos < kWholeGrapheme) {
      if (const auto whole = find(text.substr(pos, end - pos))) {
        out += *whole;
        pos = end;
        continue;
      }
    }
    while (pos < end) {
      const std::size_t start = pos;
      next_character(text, pos);
      const auto character = text.substr(start, pos - start);
      out += find(character).value_or(character);
    }
  }
  return to_valid_utf8(out);
}

}  // namespace mezzo
