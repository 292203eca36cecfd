#include "base/json.h"

#include <set>
#include <string>
#include <vector>

#include "base/error.h"

namespace mezzo {
namespace {

/// Python writes numbers that JSON does not have (scheduler configs hold -Infinity); they read as
/// null: not set.
std::string without_python_numbers(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (in_string) {
      out += text[i];
      if (text[i] == '\\' && i + 1 < text.size())
        out += text[++i];
      else if (text[i] == '"')
        in_string = false;
      continue;
    }
    std::size_t skipped = 0;
    for (std::string_view word : {"-Infinity", "Infinity", "NaN"})
      if (!skipped && text.substr(i).starts_with(word)) skipped = word.size();
    if (skipped) {
      out += "null";
      i += skipped - 1;
      continue;
    }
    in_string = text[i] == '"';
    out += text[i];
  }
  return out;
}

}  // namespace

nlohmann::json parse_json(std::string_view text, std::string_view what) {
  using nlohmann::json;
  std::vector<std::set<std::string>> keys;  // of every object that is open
  const json::parser_callback_t watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth >= kMaxJsonDepth)
      fail<LoadError>("{}: JSON nested deeper than {} levels", what, kMaxJsonDepth);
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      fail<LoadError>("{}: the key \"{}\" occurs twice in one object", what,
                      parsed.get<std::string>());
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), watch);
  } catch (const json::exception& e) {
    fail<LoadError>("{}: is not valid JSON ({})", what, e.what());
  }
}

nlohmann::json read_json_file(const fs::path& path) {
  return parse_json(without_python_numbers(read_text_file(path, kMaxJsonFile)), path.string());
}

}  // namespace mezzo
