#include "checkpoint/key_maps/key_map.h"

#include <algorithm>
#include <charconv>

namespace mezzo {

void KeyMap::add(std::string from, std::string to, std::span<const Rename> inside) {
  longest_ = std::max(longest_, from.size());
  blocks_[std::move(from)] = {std::move(to), inside};
}

std::vector<MappedName> KeyMap::map(std::string_view name) const {
  const auto shorter = [&](std::size_t n) {  // the next prefix that ends with a dot
    const auto dot = n < 2 ? std::string_view::npos : name.rfind('.', n - 2);
    return dot == std::string_view::npos ? 0 : dot + 1;
  };
  // The whole name, then every prefix up to a dot, the longest first, of those that can be there.
  for (std::size_t n = name.size() <= longest_ ? name.size() : shorter(longest_ + 1);;
       n = shorter(n)) {
    if (const auto it = blocks_.find(std::string(name.substr(0, n))); it != blocks_.end()) {
      const auto& [to, inside] = it->second;
      const std::string_view rest = name.substr(n);
      if (inside.empty()) return {{to + std::string(rest), Transform::kNone}};
      std::vector<MappedName> found;
      std::string_view taken;
      for (const auto& row : inside) {
        if (!rest.starts_with(row.from) || (!found.empty() && row.from != taken)) continue;
        taken = row.from;
        found.push_back(
            {to + std::string(row.to) + std::string(rest.substr(row.from.size())), row.transform});
      }
      return found;
    }
    if (n == 0) return {};
  }
}

int count_numbered(std::span<const std::string_view> names, std::string_view path) {
  int count = 0;
  for (std::string_view s : names) {
    if (!s.starts_with(path)) continue;
    s.remove_prefix(path.size());
    count = std::max(count, take_number(s) + 1);
  }
  return count;
}

int take_number(std::string_view& s) {
  const auto dot = s.find('.');
  if (dot == 0 || dot > 3) return -1;
  int n = 0;
  const auto r = std::from_chars(s.data(), s.data() + dot, n);
  if (r.ec != std::errc() || r.ptr != s.data() + dot || n < 0) return -1;
  s.remove_prefix(dot + 1);
  return n;
}

}  // namespace mezzo
