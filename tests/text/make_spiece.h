// Small SentencePiece models for tests, written by hand.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mezzo::test {

inline std::string varint(std::uint64_t n) {
  std::string out;
  for (; n >= 0x80; n >>= 7) out.push_back(static_cast<char>((n & 0x7F) | 0x80));
  return out + static_cast<char>(n);
}
inline std::string little_endian(std::uint32_t n) {
  std::string out;
  for (int i = 0; i < 4; ++i, n >>= 8) out.push_back(static_cast<char>(n & 0xFF));
  return out;
}
inline std::string number_field(std::uint32_t field, std::uint64_t n) {
  return varint(field << 3) + varint(n);
}
inline std::string bytes_field(std::uint32_t field, std::string_view bytes) {
  return varint(field << 3 | 2) + varint(bytes.size()) + std::string(bytes);
}
inline std::string float_field(std::uint32_t field, float x) {
  return varint(field << 3 | 5) + little_endian(std::bit_cast<std::uint32_t>(x));
}

enum PieceType { kNormal = 1, kUnknown = 2, kControl = 3 };
inline std::string piece(std::string_view text, float score, PieceType type = kNormal) {
  return bytes_field(1, bytes_field(1, text) + float_field(2, score) + number_field(3, type));
}

/// A precompiled_charsmap: a double array with one cell for each byte of each key.
inline std::string character_table(const std::map<std::string, std::string>& entries) {
  std::vector<std::uint32_t> units(1 << 12);
  std::string replacements;
  std::uint32_t block = 1;  // of 256 cells, one for the children of each node
  // Places the children of the node in `cell`, whose key is `prefix`.
  const auto place = [&](const auto& self, std::uint32_t cell, const std::string& prefix) -> void {
    const std::uint32_t base = block++ << 8;
    units[cell] |= (base ^ cell) << 10;
    if (const auto it = entries.find(prefix); it != entries.end()) {
      units[cell] |= 1u << 8;
      units[base] = static_cast<std::uint32_t>(replacements.size()) | 1u << 31;
      replacements += it->second + '\0';
    }
    for (std::uint32_t byte = 1; byte < 256; ++byte) {
      const std::string key = prefix + static_cast<char>(byte);
      if (std::ranges::none_of(entries, [&](const auto& e) { return e.first.starts_with(key); }))
        continue;
      units[base ^ byte] = byte;
      self(self, base ^ byte, key);
    }
  };
  place(place, 0, "");
  std::string out = little_endian(static_cast<std::uint32_t>(4 * units.size()));
  for (const auto unit : units) out += little_endian(unit);
  return out + replacements;
}

/// Special tokens as T5 numbers them, then `pieces`; `normalizer` and `trainer` are more fields.
inline std::string spiece(std::string_view pieces, std::string_view normalizer = {},
                          std::string_view trainer = {}) {
  return piece("<pad>", 0, kControl) + piece("</s>", 0, kControl) + piece("<unk>", 0, kUnknown) +
         std::string(pieces) + bytes_field(2, number_field(3, 1) + std::string(trainer)) +
         bytes_field(3, normalizer);
}

}  // namespace mezzo::test
