// Letters of ASCII in lower case, whatever the locale is: file endings, names, keywords.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace mezzo {

constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string ascii_lower(std::string_view text) {
  std::string small(text);
  std::ranges::transform(small, small.begin(), [](char c) { return ascii_lower(c); });
  return small;
}

}  // namespace mezzo
