// Text encodings that picture files use (PNG specification 1.2 section 4.2.3, EXIF 2.32
// section 4.6.5), to and from UTF-8. Bytes that make no sense become U+FFFD: text from a picture
// never stops the picture from being read.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace mezzo {

/// The text in ISO 8859-1, or nothing when a character has no place there.
std::optional<std::string> utf8_to_latin1(std::string_view text);
std::string latin1_to_utf8(std::string_view text);

std::string utf8_to_utf16be(std::string_view text);
std::string utf16_to_utf8(std::string_view bytes, bool big_endian);

/// The bytes as text, without interpretation.
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const std::byte> as_byte_span(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace mezzo
