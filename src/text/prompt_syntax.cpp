#include "text/prompt_syntax.h"

#include <algorithm>
#include <array>
#include <vector>

namespace mezzo {
namespace {

constexpr std::array<std::string_view, 3> kNetworks = {"<lora:", "<hypernet:", "<lyco:"};

bool is_digit(char c) { return '0' <= c && c <= '9'; }

/// "1", "1.3", ".5" and the like, with spaces around.
bool is_weight(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return std::ranges::count(text, '.') <= 1 && std::ranges::any_of(text, is_digit) &&
         std::ranges::all_of(text, [](char c) { return is_digit(c) || c == '.'; });
}

}  // namespace

std::string_view unread_instruction(std::string_view prompt) {
  for (const std::string_view network : kNetworks)
    if (const auto at = prompt.find(network); at != prompt.npos) {
      const auto end = prompt.find('>', at);
      if (end != prompt.npos) return prompt.substr(at, end - at + 1);
    }
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < prompt.size(); ++i) {
    if (prompt[i] == '(') open.push_back(i);
    if (prompt[i] != ')' || open.empty()) continue;
    const auto piece = prompt.substr(open.back(), i - open.back());
    open.pop_back();
    const auto colon = piece.rfind(':');
    if (colon != piece.npos && is_weight(piece.substr(colon + 1)))
      return prompt.substr(i - piece.size(), piece.size() + 1);
  }
  return {};
}

}  // namespace mezzo
