// Base64 (RFC 4648), as tables are kept in JSON files.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mezzo {

/// The bytes, or nothing where the text is not base64 with its padding.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace mezzo
