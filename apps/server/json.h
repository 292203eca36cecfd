// JSON of requests and answers: keys keep their order, text from outside never makes dumping throw.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace mezzo::server {

using Json = nlohmann::ordered_json;

/// One line. Bytes that are not UTF-8 become the replacement character.
inline std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// A request's body: an object, at most 16 levels deep. Throws ApiError (400).
Json parse_object(std::string_view text);

/// A member as text or number, or `otherwise` where it is missing, null or of another type.
std::string text_at(const Json& object, std::string_view key, std::string otherwise = "");
double number_at(const Json& object, std::string_view key, double otherwise);
bool flag_at(const Json& object, std::string_view key, bool otherwise);

}  // namespace mezzo::server
