// Reads fields of a config.json with types, ranges and defaults checked: the file comes from
// outside.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace mezzo {

class ConfigReader {
 public:
  /// `origin` names the file in messages. A null config reads as an empty object. Keeps a reference
  /// to `json`.
  ConfigReader(const nlohmann::json& json, std::string origin);

  /// Present and not null.
  bool has(std::string_view key) const;
  std::int64_t integer(std::string_view key, std::optional<std::int64_t> fallback, std::int64_t min,
                       std::int64_t max) const;
  double number(std::string_view key, std::optional<double> fallback) const;  // finite
  bool boolean(std::string_view key, bool fallback) const;
  std::string text(std::string_view key, std::optional<std::string> fallback) const;
  std::vector<std::string> texts(std::string_view key, std::vector<std::string> fallback) const;
  /// A list of integers in the range, or one integer standing for `count` equal ones. 1..64
  /// entries.
  std::vector<std::int64_t> integers(std::string_view key, std::size_t count,
                                     std::vector<std::int64_t> fallback, std::int64_t min,
                                     std::int64_t max) const;

  const std::string& origin() const { return origin_; }

 private:
  const nlohmann::json* find(std::string_view key) const;
  [[noreturn]] void refuse(std::string_view key, std::string_view expected) const;

  const nlohmann::json& json_;
  std::string origin_;
};

}  // namespace mezzo
