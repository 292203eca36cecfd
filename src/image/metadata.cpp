#include "image/metadata.h"

#include <algorithm>
#include <optional>

#include <zlib.h>

#include "base/log.h"
#include "image/text_encoding.h"

namespace mezzo {
namespace {

constexpr std::string_view kParametersKey = "parameters";
constexpr std::string_view kRequestKey = "mezzotint";

/// A zlib stream inflated to at most `left` bytes; nothing when it is damaged or longer. What was
/// inflated is taken from `left` all the same.
std::optional<std::string> inflate_text(std::string_view compressed, std::size_t& left) {
  z_stream z{};
  if (inflateInit(&z) != Z_OK) return std::nullopt;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  z.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  char piece[16384];
  int state = Z_OK;
  while (state == Z_OK && out.size() <= left) {
    z.next_out = reinterpret_cast<Bytef*>(piece);
    z.avail_out = sizeof piece;
    state = inflate(&z, Z_NO_FLUSH);
    out.append(piece, sizeof piece - z.avail_out);
  }
  inflateEnd(&z);
  const bool whole = state == Z_STREAM_END && out.size() <= left;
  left -= std::min(left, out.size());
  if (!whole) return std::nullopt;
  return out;
}

/// A text as it stands, when there is room for it.
std::optional<std::string_view> plain_text(std::string_view text, std::size_t& left) {
  if (text.size() > left) return std::nullopt;
  left -= text.size();
  return text;
}

/// Cuts `text` at its first NUL and returns what was before; nothing when there is none.
std::optional<std::string_view> take_string(std::string_view& text) {
  const auto end = text.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const auto head = text.substr(0, end);
  text.remove_prefix(end + 1);
  return head;
}

/// tEXt and zTXt are Latin-1, but several programs write UTF-8 there; real Latin-1 is hardly ever
/// valid UTF-8.
std::string decode_latin1(std::string_view text) {
  return is_utf8(text) ? std::string(text) : latin1_to_utf8(text);
}

std::optional<std::string> itxt(std::string_view rest, std::size_t& left) {
  if (rest.size() < 2) return std::nullopt;
  const bool compressed = rest[0] != 0;
  const bool known_method = rest[1] == 0;
  rest.remove_prefix(2);
  if (!take_string(rest) || !take_string(rest)) return std::nullopt;  // language, translated key
  if (!compressed) {
    const auto text = plain_text(rest, left);
    return text ? std::optional(to_valid_utf8(*text)) : std::nullopt;
  }
  if (!known_method) return std::nullopt;
  const auto text = inflate_text(rest, left);
  return text ? std::optional(to_valid_utf8(*text)) : std::nullopt;
}

std::optional<std::string> latin1_text(std::string_view rest, std::size_t& left) {
  const auto text = plain_text(rest, left);
  return text ? std::optional(decode_latin1(*text)) : std::nullopt;
}

std::optional<std::string> ztxt(std::string_view rest, std::size_t& left) {
  if (rest.empty() || rest[0] != 0) return std::nullopt;
  const auto text = inflate_text(rest.substr(1), left);
  return text ? std::optional(decode_latin1(*text)) : std::nullopt;
}

PngTextChunk text_chunk(std::string_view key, std::string text) {
  std::erase(text, '\0');  // ends a text in both kinds of chunk
  std::string payload = std::string(key) + '\0';
  if (const auto latin1 = utf8_to_latin1(text)) return {"tEXt", payload + *latin1};
  payload.append(4, '\0');  // not compressed, method 0, no language, no translated key
  return {"iTXt", payload + to_valid_utf8(text)};
}

}  // namespace

std::vector<PngTextChunk> png_text_chunks(const Metadata& metadata) {
  std::vector<PngTextChunk> chunks;
  if (!metadata.parameters.empty())
    chunks.push_back(text_chunk(kParametersKey, metadata.parameters));
  if (!metadata.request.empty()) chunks.push_back(text_chunk(kRequestKey, metadata.request));
  return chunks;
}

void PngTextReader::read(std::string_view type, std::span<const std::byte> payload) {
  constexpr std::pair<std::string_view,
                      std::optional<std::string> (*)(std::string_view, std::size_t&)>
      kTypes[] = {{"tEXt", latin1_text}, {"zTXt", ztxt}, {"iTXt", itxt}};
  const auto* row = std::ranges::find(kTypes, type, [](const auto& r) { return r.first; });
  if (row == std::end(kTypes)) return;
  std::string_view rest = as_text(payload);
  const auto key = take_string(rest);
  std::string* to = key == kParametersKey ? &metadata_.parameters
                    : key == kRequestKey  ? &metadata_.request
                                          : nullptr;
  if (!to || !to->empty()) return;  // another program's, or the second one
  if (auto text = row->second(rest, left_)) {
    *to = std::move(*text);
  } else if (!std::exchange(warned_, true)) {
    log_warning("a text of the picture was left out: it is damaged or too long");
  }
}

}  // namespace mezzo
