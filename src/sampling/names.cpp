#include "sampling/names.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"

namespace mezzo::sampling {
namespace {

/// The names whose plain forms share the longest beginning with this one: families of samplers
/// begin alike. At most three; none where only a letter is shared.
std::vector<std::string_view> names_like(std::string_view name,
                                         std::span<const std::string_view> known) {
  constexpr std::size_t kMost = 3;
  const std::string plain = plain_name(name);
  std::vector<std::string_view> like;
  std::size_t longest = 2;
  for (const std::string_view candidate : known) {
    const std::string other = plain_name(candidate);
    const auto shared =
        static_cast<std::size_t>(std::ranges::mismatch(plain, other).in1 - plain.begin());
    if (shared > longest) like.clear();
    if (shared < longest) continue;
    longest = shared;
    if (like.size() < kMost) like.push_back(candidate);
  }
  return like;
}

}  // namespace

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

void fail_unknown(std::string_view kind, std::string_view name,
                  std::span<const std::string_view> known) {
  constexpr std::size_t kShown = 40;  // bytes of what was asked for
  const auto like = names_like(name, known);
  std::string question;
  for (std::size_t i = 0; i < like.size(); ++i)
    question += fmt::format("{}{}",
                            i == 0                ? "did you mean "
                            : i + 1 < like.size() ? ", "
                                                  : " or ",
                            like[i]);
  fail<UsageError>("{}: \"{}\" is not known; {}mezzo samplers lists all", kind,
                   to_valid_utf8(name.substr(0, kShown)), question.empty() ? "" : question + "? ");
}

}  // namespace mezzo::sampling
