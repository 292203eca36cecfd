#include "text/unicode.h"

#include <cstdlib>
#include <memory>
#include <new>

#include <utf8proc.h>

#include "base/utf8.h"

namespace mezzo {
namespace {

utf8proc_category_t category(char32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

}  // namespace

bool is_letter(char32_t c) {
  const auto k = category(c);
  return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

bool is_number(char32_t c) {
  const auto k = category(c);
  return k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO;
}

bool is_space(char32_t c) {
  if ((c >= 0x09 && c <= 0x0D) || c == 0x85) return true;
  const auto k = category(c);
  return k >= UTF8PROC_CATEGORY_ZS && k <= UTF8PROC_CATEGORY_ZP;
}

std::size_t grapheme_end(std::string_view text, std::size_t pos) {
  utf8proc_int32_t state = 0;
  auto previous = next_character(text, pos);
  while (pos < text.size()) {
    std::size_t after = pos;
    const auto c = next_character(text, after);
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(previous),
                                         static_cast<utf8proc_int32_t>(c), &state))
      break;
    previous = c;
    pos = after;
  }
  return pos;
}

std::string to_nfc(std::string_view text) {
  const std::string valid = to_valid_utf8(text);
  utf8proc_uint8_t* composed = nullptr;
  const auto n = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(valid.data()),
                              static_cast<utf8proc_ssize_t>(valid.size()), &composed,
                              static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(composed, &std::free);
  if (n < 0) throw std::bad_alloc();  // the text is valid: memory is all that can be missing
  return {reinterpret_cast<const char*>(composed), static_cast<std::size_t>(n)};
}

std::string to_lower(std::string_view text) {
  constexpr char32_t kCapitalIWithDot = 0x130, kDotAbove = 0x307;
  std::string out;
  out.reserve(text.size());
  for (std::size_t pos = 0; pos < text.size();) {
    const char32_t c = next_character(text, pos);
    if (c == kCapitalIWithDot) {  // the only character whose lower case is two
      append_utf8(out, U'i');
      append_utf8(out, kDotAbove);
    } else {
      append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
    }
  }
  return out;
}

}  // namespace mezzo
