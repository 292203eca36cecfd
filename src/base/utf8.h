// UTF-8 (RFC 3629) that nobody vouches for: bytes that are no character read as U+FFFD, one for
// each.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mezzo {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

/// The character at text[pos], pos < text.size(); moves pos behind it.
char32_t next_character(std::string_view text, std::size_t& pos);

void append_utf8(std::string& out, char32_t c);

bool is_utf8(std::string_view text);

/// No control characters but line ends and tabs: bytes that a person wrote, in whatever encoding.
bool is_plain_text(std::string_view bytes);

/// The same text with every bad byte replaced.
std::string to_valid_utf8(std::string_view text);

}  // namespace mezzo
