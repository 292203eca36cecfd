#include "base/config.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace mezzo {

ConfigReader::ConfigReader(const nlohmann::json& json, std::string origin)
    : json_(json), origin_(std::move(origin)) {
  if (!json.is_object() && !json.is_null())
    fail<LoadError>("{}: is not a JSON object; it should be the model's config.json", origin_);
}

const nlohmann::json* ConfigReader::find(std::string_view key) const {
  if (!json_.is_object()) return nullptr;
  const auto it = json_.find(key);
  return it == json_.end() || it->is_null() ? nullptr : &*it;
}

void ConfigReader::refuse(std::string_view key, std::string_view expected) const {
  const auto* v = find(key);
  fail<LoadError>("{}: \"{}\" should be {}, found {}", origin_, key, expected,
                  v ? v->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).substr(0, 60)
                    : "nothing");
}

bool ConfigReader::has(std::string_view key) const { return find(key) != nullptr; }

std::int64_t ConfigReader::integer(std::string_view key, std::optional<std::int64_t> fallback,
                                   std::int64_t min, std::int64_t max) const {
  const auto* v = find(key);
  if (!v && fallback) return *fallback;
  const auto wanted = fmt::format("a whole number from {} to {}", min, max);
  if (!v || !v->is_number_integer() ||
      (v->is_number_unsigned() && v->get<std::uint64_t>() > INT64_MAX))
    refuse(key, wanted);
  const auto n = v->get<std::int64_t>();
  if (n < min || n > max) refuse(key, wanted);
  return n;
}

double ConfigReader::number(std::string_view key, std::optional<double> fallback) const {
  const auto* v = find(key);
  if (!v && fallback) return *fallback;
  if (!v || !v->is_number() || !std::isfinite(v->get<double>())) refuse(key, "a number");
  return v->get<double>();
}

bool ConfigReader::boolean(std::string_view key, bool fallback) const {
  const auto* v = find(key);
  if (!v) return fallback;
  if (!v->is_boolean()) refuse(key, "true or false");
  return v->get<bool>();
}

std::string ConfigReader::text(std::string_view key, std::optional<std::string> fallback) const {
  const auto* v = find(key);
  if (!v && fallback) return *fallback;
  if (!v || !v->is_string()) refuse(key, "a text");
  return v->get<std::string>();
}

std::vector<std::string> ConfigReader::texts(std::string_view key,
                                             std::vector<std::string> fallback) const {
  const auto* v = find(key);
  if (!v) return fallback;
  if (!v->is_array() || v->size() > 64) refuse(key, "a list of texts");
  std::vector<std::string> out;
  for (const auto& e : *v) {
    if (!e.is_string()) refuse(key, "a list of texts");
    out.push_back(e.get<std::string>());
  }
  return out;
}

std::vector<std::int64_t> ConfigReader::integers(std::string_view key, std::size_t count,
                                                 std::vector<std::int64_t> fallback,
                                                 std::int64_t min, std::int64_t max) const {
  const auto* v = find(key);
  if (!v) return fallback;
  if (v->is_number()) return std::vector<std::int64_t>(count, integer(key, std::nullopt, min, max));
  const auto wanted = fmt::format("a list of whole numbers from {} to {}", min, max);
  if (!v->is_array() || v->empty() || v->size() > 64) refuse(key, wanted);
  std::vector<std::int64_t> out;
  for (const auto& e : *v) {
    if (!e.is_number_integer()) refuse(key, wanted);
    const auto n = e.get<std::int64_t>();
    if (n < min || n > max) refuse(key, wanted);
    out.push_back(n);
  }
  return out;
}

}  // namespace mezzo
