#include "checkpoint/hf_cache.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "mezzotint/errors.h"

namespace mezzo {
namespace {

std::string commit_of(const fs::path& model) {
  try {
    std::string s = read_text_file(model / "refs" / "main", 256);
    while (!s.empty() && std::isspace(static_cast<unsigned char>(s.back()))) s.pop_back();
    return is_hub_name(s) ? s : std::string();
  } catch (const LoadError&) {
    return {};  // no refs: a partial copy of a cache
  }
}

}  // namespace

bool is_hub_name(std::string_view s) {
  return !s.empty() && s.size() <= 96 && s[0] != '.' && std::ranges::all_of(s, [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
  });
}

fs::path hf_cache_folder() {
  const auto variable = [](const char* name) {
    const char* v = std::getenv(name);
    return fs::path(v ? v : "");
  };
  if (const auto p = variable("HF_HUB_CACHE"); !p.empty()) return p;
  if (const auto p = variable("HF_HOME"); !p.empty()) return p / "hub";
  if (const auto p = variable("XDG_CACHE_HOME"); !p.empty()) return p / "huggingface" / "hub";
  if (const auto p = variable("HOME"); !p.empty()) return p / ".cache" / "huggingface" / "hub";
  return {};
}

std::optional<fs::path> find_in_hf_cache(std::string_view id) {
  const auto slash = id.find('/');
  if (slash == std::string_view::npos || !is_hub_name(id.substr(0, slash)) ||
      !is_hub_name(id.substr(slash + 1)))
    return std::nullopt;
  const fs::path cache = hf_cache_folder();
  if (cache.empty()) return std::nullopt;
  const fs::path model = cache / ("models--" + std::string(id.substr(0, slash)) + "--" +
                                  std::string(id.substr(slash + 1)));
  std::error_code ignored;
  if (const auto commit = commit_of(model); !commit.empty())
    if (const fs::path p = model / "snapshots" / commit; fs::is_directory(p, ignored)) return p;
  std::vector<fs::path> snapshots;
  for (const auto& entry : fs::directory_iterator(model / "snapshots", ignored))
    if (entry.is_directory(ignored)) snapshots.push_back(entry.path());
  if (snapshots.size() == 1) return snapshots.front();
  return std::nullopt;
}

}  // namespace mezzo
