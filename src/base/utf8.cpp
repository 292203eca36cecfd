#include "base/utf8.h"

#include <algorithm>

namespace mezzo {
namespace {

/// By the first byte: how many follow, which bits of it count, and the smallest character of that
/// length.
struct Lead {
  int more;
  char32_t bits, smallest;
};

Lead lead(unsigned char b) {
  if (b < 0x80) return {0, 0x7F, 0};
  if (b >= 0xC0 && b < 0xE0) return {1, 0x1F, 0x80};
  if (b >= 0xE0 && b < 0xF0) return {2, 0x0F, 0x800};
  if (b >= 0xF0 && b < 0xF8) return {3, 0x07, 0x10000};
  return {-1, 0, 0};
}

/// The bytes of the character at text[pos], 0 for none.
std::size_t decode(std::string_view text, std::size_t pos, char32_t& c) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[pos + i]); };
  const Lead l = lead(byte(0));
  const std::size_t size = static_cast<std::size_t>(l.more + 1);
  if (size == 0 || size > text.size() - pos) return 0;
  c = byte(0) & l.bits;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    c = c << 6 | (byte(i) & 0x3F);
  }
  const bool surrogate = c >= 0xD800 && c < 0xE000;
  return c < l.smallest || c > 0x10FFFF || surrogate ? 0 : size;
}

}  // namespace

char32_t next_character(std::string_view text, std::size_t& pos) {
  char32_t c = 0;
  const std::size_t size = decode(text, pos, c);
  pos += size ? size : 1;
  return size ? c : kReplacementCharacter;
}

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](char32_t b) { out.push_back(static_cast<char>(b)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

bool is_utf8(std::string_view text) {
  char32_t c = 0;
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t size = decode(text, pos, c);
    if (size == 0) return false;
    pos += size;
  }
  return true;
}

bool is_plain_text(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t pos = 0; pos < text.size();) append_utf8(out, next_character(text, pos));
  return out;
}

}  // namespace mezzo
