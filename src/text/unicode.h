// What tokenizers ask about characters, by utf8proc's tables.
#pragma once

#include <string>
#include <string_view>

namespace mezzo {

bool is_letter(char32_t c);  // \p{L}
bool is_number(char32_t c);  // \p{N}
bool is_space(char32_t c);   // the White_Space property, \s of regular expressions

/// Where the grapheme that begins at text[pos] ends (UAX 29, extended clusters); pos < text.size().
std::size_t grapheme_end(std::string_view text, std::size_t pos);

/// Unicode normalisation form C. Bytes that are no UTF-8 become U+FFFD.
std::string to_nfc(std::string_view text);

/// Every character in lower case by its own mapping, without regard to its neighbours (a final
/// sigma stays sigma).
std::string to_lower(std::string_view text);

}  // namespace mezzo
