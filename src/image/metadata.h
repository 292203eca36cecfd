// The recipe of a picture inside its file. PNG: text chunks `parameters` (A1111's infotext, see
// infotext.h) and `mezzotint` (the full request as JSON). JPEG and WebP: EXIF UserComment and
// MakerNote (see exif.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mezzo {

/// Everything UTF-8. Empty: not there.
struct Metadata {
  std::string parameters;  // A1111 infotext
  std::string request;     // JSON of the request that made the picture

  bool empty() const { return parameters.empty() && request.empty(); }
};

/// A PNG chunk to be written: its type ("tEXt") and payload.
struct PngTextChunk {
  std::string type;
  std::string payload;
};

/// tEXt where the text fits Latin-1, iTXt (UTF-8, not compressed) otherwise.
std::vector<PngTextChunk> png_text_chunks(const Metadata& metadata);

/// Collects the two texts of one PNG; texts of other keys are not even inflated. Damaged texts, and
/// texts beyond `max_bytes` in all, are dropped with one warning to the log: no picture makes more
/// than that be inflated.
class PngTextReader {
 public:
  explicit PngTextReader(std::size_t max_bytes) : left_(max_bytes) {}

  /// Takes a chunk when its type is tEXt, zTXt or iTXt.
  void read(std::string_view type, std::span<const std::byte> payload);
  Metadata take() { return std::move(metadata_); }

 private:
  Metadata metadata_;
  std::size_t left_;
  bool warned_ = false;
};

}  // namespace mezzo
