#include "server/json.h"

#include <algorithm>

#include <fmt/format.h>

#include "server/http.h"

namespace mezzo::server {

Json parse_object(std::string_view text) {
  constexpr int kDepth = 16;
  const auto shallow = [](int depth, Json::parse_event_t, Json&) {
    if (depth > kDepth) throw ApiError(400, "usage", "the body is nested too deeply");
    return true;
  };
  try {
    Json json = Json::parse(text, shallow);
    if (!json.is_object())
      throw ApiError(400, "usage", "the body is not a JSON object; send {\"prompt\": \"...\"}");
    return json;
  } catch (const Json::exception& e) {
    const std::string_view what = e.what();  // "[name of the exception] parse error at line 1 ..."
    throw ApiError(400, "usage",
                   fmt::format("the body is not valid JSON: {}",
                               what.substr(std::min(what.find("] ") + 2, what.size()))));
  }
}

std::string text_at(const Json& object, std::string_view key, std::string otherwise) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : otherwise;
}

double number_at(const Json& object, std::string_view key, double otherwise) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? it->get<double>() : otherwise;
}

bool flag_at(const Json& object, std::string_view key, bool otherwise) {
  const auto it = object.find(key);
  return it != object.end() && it->is_boolean() ? it->get<bool>() : otherwise;
}

}  // namespace mezzo::server
