// JSON from files: limited depth, no duplicate keys, errors that name the file.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "base/file.h"

namespace mezzo {

inline constexpr int kMaxJsonDepth = 32;
inline constexpr std::uint64_t kMaxJsonFile = 8u << 20;  // bytes; configs have a few thousand

/// Parses UTF-8 JSON. `what` names the text in messages. Throws LoadError.
nlohmann::json parse_json(std::string_view text, std::string_view what);

/// The file as JSON; Python's Infinity and NaN read as null. Throws LoadError when it is missing,
/// larger than 8 MB or not JSON.
nlohmann::json read_json_file(const fs::path& path);

}  // namespace mezzo
