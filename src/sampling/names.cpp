#include "sampling/names.h"

#include <algorithm>

namespace mezzo::sampling {

std::string plain_name(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    out += c == '+' ? 'p' : c;
  }
  for (std::string_view prefix : {"k_", "sample_"})
    if (out.starts_with(prefix)) out.erase(0, prefix.size());
  std::erase_if(out, [](char c) { return c == ' ' || c == '_' || c == '-'; });
  return out;
}

bool matches_name(std::string_view name, std::string_view entry, std::string_view display,
                  const std::vector<std::string_view>& aliases) {
  const std::string wanted = plain_name(name);
  if (wanted == plain_name(entry) || wanted == plain_name(display)) return true;
  return std::any_of(aliases.begin(), aliases.end(),
                     [&](std::string_view a) { return wanted == plain_name(a); });
}

}  // namespace mezzo::sampling
