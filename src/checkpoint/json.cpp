#include "checkpoint/json.h"

#include <set>
#include <string>
#include <vector>

#include "base/error.h"

namespace mezzo {

nlohmann::json parse_json(std::string_view text, std::string_view what) {
  using nlohmann::json;
  std::vector<std::set<std::string>> keys;  // of every object that is open
  const json::parser_callback_t watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth >= kMaxJsonDepth) fail<LoadError>("{}: JSON nested deeper than {} levels", what, kMaxJsonDepth);
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      fail<LoadError>("{}: the key \"{}\" occurs twice in one object", what, parsed.get<std::string>());
    return true;
  };
  try {
    return json::parse(text.begin(), text.end(), watch);
  } catch (const json::exception& e) {
    fail<LoadError>("{}: is not valid JSON ({})", what, e.what());
  }
}

nlohmann::json read_json_file(const fs::path& path) { return parse_json(read_text_file(path), path.string()); }

}  // namespace mezzo
