// "Infotext": the recipe of a picture as AUTOMATIC1111's web UI (1.10) writes and reads it:
//   prompt [newline "Negative prompt: " negative] newline "Steps: 20, Sampler: Euler a, CFG scale:
//   7, ..."
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mezzo {

/// Keys and values in their order; values as plain text, not quoted.
using InfotextPairs = std::vector<std::pair<std::string, std::string>>;

struct InfotextRecipe {
  std::string prompt;
  std::string negative;
  InfotextPairs settings;  // any order; pairs with an empty value are left out
};

/// The text for a picture. Keys come in the web UI's order (Steps first, Version last), unknown
/// ones before Version as given.
std::string write_infotext(const InfotextRecipe& recipe);

/// A value as it stands behind its key: in quotes, as a JSON string, when it holds a comma, a colon
/// or a newline.
std::string quote_infotext(std::string_view value);

/// A model's or file's name as other readers can take it: ',' ':' and '"' become '_'.
std::string infotext_name(std::string_view name);

using InfotextValue = std::variant<std::string, std::int64_t, bool>;
using InfotextFields = std::map<std::string, InfotextValue, std::less<>>;

struct Infotext {
  std::string prompt;  // as written; fields["Prompt"] may have a hypernetwork appended
  std::string negative;
  InfotextPairs settings_line;  // raw pairs of the last line (values still quoted); empty when it
                                // has fewer than three
  InfotextFields
      fields;  // the web UI's final dictionary: sizes split, values unquoted, defaults filled in
};

/// Reads any text: what is no infotext is a prompt. Takes time proportional to its length.
Infotext parse_infotext(std::string_view text);

}  // namespace mezzo
