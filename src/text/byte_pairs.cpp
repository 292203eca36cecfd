#include "text/byte_pairs.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"

namespace mezzo {
namespace {

constexpr int kMaxMerges = 1 << 20;

std::uint64_t pair_key(int left, int right) {
  return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}

/// One token of the word so far, in a list from left to right.
struct Symbol {
  int id;
  int previous, next;  // indices, -1 at the ends
  bool alive = true;
};

struct Candidate {
  int rank, left;  // left: index of the symbol
  bool operator>(const Candidate& o) const {
    return std::pair(rank, left) > std::pair(o.rank, o.left);
  }
};

}  // namespace

const std::array<char32_t, 256>& byte_characters() {
  static const auto table = [] {
    std::array<char32_t, 256> t{};
    char32_t moved = 256;
    for (char32_t b = 0; b < 256; ++b) {
      const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      t[b] = printable ? b : moved++;
    }
    return t;
  }();
  return table;
}

BytePairs::BytePairs(const TokenIds& vocabulary, std::string_view merges, int unknown,
                     const std::string& origin) {
  for (std::size_t b = 0; b < 256; ++b) {
    std::string token;
    append_utf8(token, byte_characters()[b]);
    const auto id_of = [&](const std::string& t) {
      const auto it = vocabulary.find(t);
      return it == vocabulary.end() ? unknown : it->second;
    };
    inner_[b] = id_of(token);
    last_[b] = id_of(token + std::string(kEndOfWord));
  }

  int rank = 0;
  for (std::size_t number = 1; !merges.empty(); ++number) {
    std::string_view line = merges.substr(0, merges.find('\n'));
    merges.remove_prefix(std::min(line.size() + 1, merges.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (number == 1 && line.find("#version") != std::string_view::npos)) continue;
    const auto space = line.find(' ');
    if (space == 0 || space == std::string_view::npos || space + 1 == line.size() ||
        line.find(' ', space + 1) != std::string_view::npos)
      fail<LoadError>("{}: line {} of the merges is not two tokens; get another copy", origin,
                      number);
    if (rank >= kMaxMerges)
      fail<LoadError>("{}: more than {} merges; this is not a CLIP tokenizer", origin, kMaxMerges);
    const std::string left(line.substr(0, space)), right(line.substr(space + 1));
    const auto known = [&](const std::string& token) {
      const auto it = vocabulary.find(token);
      if (it == vocabulary.end())
        fail<LoadError>(
            "{}: line {} of the merges names the token {}, which is not in the vocabulary; "
            "vocab.json and merges.txt must come from the same model",
            origin, number, to_valid_utf8(token));
      return it->second;
    };
    const int left_id = known(left), right_id = known(right), merged_id = known(left + right);
    merges_[pair_key(left_id, right_id)] = {rank++, merged_id};
  }
}

const BytePairs::Merge* BytePairs::find(int left, int right) const {
  const auto it = merges_.find(pair_key(left, right));
  return it == merges_.end() ? nullptr : &it->second;
}

void BytePairs::encode(std::string_view word, std::vector<int>& ids) const {
  if (word.empty()) return;
  const int n = static_cast<int>(word.size());
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  for (int i = 0; i < n; ++i) {
    const auto byte = static_cast<unsigned char>(word[static_cast<std::size_t>(i)]);
    symbols.push_back({i + 1 < n ? inner_[byte] : last_[byte], i - 1, i + 1 < n ? i + 1 : -1});
  }
  const auto at = [&](int i) -> Symbol& { return symbols[static_cast<std::size_t>(i)]; };

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto offer = [&](int left) {
    if (left < 0 || at(left).next < 0) return;
    if (const Merge* m = find(at(left).id, at(at(left).next).id)) queue.push({m->rank, left});
  };
  for (int i = 0; i < n; ++i) offer(i);
  while (!queue.empty()) {
    const Candidate c = queue.top();
    queue.pop();
    Symbol& left = at(c.left);
    if (!left.alive || left.next < 0) continue;
    Symbol& right = at(left.next);
    const Merge* m = find(left.id, right.id);
    if (!m || m->rank != c.rank) continue;  // one of the two has changed since
    left.id = m->id;
    left.next = right.next;
    right.alive = false;
    if (left.next >= 0) at(left.next).previous = c.left;
    offer(left.previous);
    offer(c.left);
  }
  for (int i = 0; i >= 0; i = at(i).next) ids.push_back(at(i).id);
}

}  // namespace mezzo
