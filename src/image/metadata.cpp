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
constexpr std::size_t kMaxTexts = 256;

/// A zlib stream inflated to at most `limit` bytes; nothing when it is damaged or longer.
std::optional<std::string> inflate_text(std::string_view compressed, std::size_t limit) {
  z_stream z{};
  if (inflateInit(&z) != Z_OK) return std::nullopt;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  z.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  char piece[16384];
  int state = Z_OK;
  while (state == Z_OK && out.size() <= limit) {
    z.next_out = reinterpret_cast<Bytef*>(piece);
    z.avail_out = sizeof piece;
    state = inflate(&z, Z_NO_FLUSH);
    out.append(piece, sizeof piece - z.avail_out);
  }
  inflateEnd(&z);
  if (state != Z_STREAM_END || out.size() > limit) return std::nullopt;
  return out;
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

std::optional<std::string> itxt(std::string_view rest, std::size_t limit) {
  if (rest.size() < 2) return std::nullopt;
  const bool compressed = rest[0] != 0;
  const bool known_method = rest[1] == 0;
  rest.remove_prefix(2);
  if (!take_string(rest) || !take_string(rest)) return std::nullopt;  // language, translated key
  if (!compressed) return to_valid_utf8(rest);
  if (!known_method) return std::nullopt;
  const auto text = inflate_text(rest, limit);
  return text ? std::optional(to_valid_utf8(*text)) : std::nullopt;
}

std::optional<std::string> ztxt(std::string_view rest, std::size_t limit) {
  if (rest.empty() || rest[0] != 0) return std::nullopt;
  const auto text = inflate_text(rest.substr(1), limit);
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
  if (type != "tEXt" && type != "zTXt" && type != "iTXt") return;
  std::string_view rest = as_text(payload);
  const auto key = take_string(rest);
  std::optional<std::string> text;
  if (key && rest.size() <= left_) {
    if (type == "tEXt") text = decode_latin1(rest);
    if (type == "zTXt") text = ztxt(rest, left_);
    if (type == "iTXt") text = itxt(rest, left_);
  }
  if (text && text->size() <= left_) {
    add(*key, std::move(*text));
  } else {
    log_warning("a text of the picture was left out: it is damaged or too long");
  }
}

void PngTextReader::add(std::string_view key, std::string text) {
  left_ -= text.size();
  if (key == kParametersKey) {
    if (metadata_.parameters.empty()) metadata_.parameters = std::move(text);
  } else if (key == kRequestKey) {
    if (metadata_.request.empty()) metadata_.request = std::move(text);
  } else if (metadata_.other.size() < kMaxTexts) {
    metadata_.other.emplace_back(latin1_to_utf8(key), std::move(text));
  }
}

}  // namespace mezzo
