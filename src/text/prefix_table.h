// Strings with numbers, to be found where a text begins with one of them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace mezzo {

class PrefixTable {
 public:
  struct Entry {
    std::string text;
    int id;
  };

  PrefixTable() = default;
  /// The texts are not empty and each is there once.
  explicit PrefixTable(std::vector<Entry> entries) : entries_(std::move(entries)) {
    std::ranges::sort(entries_, {}, &Entry::text);
  }

  /// Calls `use` with every entry that `text` begins with, the shortest first. Time: the length of
  /// the longest, times the logarithm of the number of entries.
  template <class Use>
  void for_each_prefix(std::string_view text, const Use& use) const {
    auto begin = entries_.begin(), end = entries_.end();
    for (std::size_t depth = 0; depth < text.size() && begin != end; ++depth) {
      // All in [begin, end) share `depth` bytes; one that ends there is the first and sorts as -1.
      const auto next = [depth](const Entry& e) {
        return e.text.size() == depth ? -1
                                      : static_cast<int>(static_cast<unsigned char>(e.text[depth]));
      };
      const int byte = static_cast<unsigned char>(text[depth]);
      begin = std::partition_point(begin, end, [&](const Entry& e) { return next(e) < byte; });
      end = std::partition_point(begin, end, [&](const Entry& e) { return next(e) == byte; });
      if (begin != end && begin->text.size() == depth + 1) use(*begin);
    }
  }

  /// The longest entry that `text` begins with, or none.
  const Entry* longest_prefix(std::string_view text) const {
    const Entry* longest = nullptr;
    for_each_prefix(text, [&](const Entry& e) { longest = &e; });
    return longest;
  }

 private:
  std::vector<Entry> entries_;  // sorted by their bytes
};

}  // namespace mezzo
