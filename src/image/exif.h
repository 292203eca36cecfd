// The few EXIF fields that matter here (EXIF 2.32; TIFF 6.0 structure): orientation, UserComment,
// MakerNote.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "image/metadata.h"

namespace mezzo {

struct Exif {
  int orientation = 1;     // 1..8, as in TIFF
  std::string comment;     // UserComment, UTF-8
  std::string maker_note;  // only ours ("mezzotint\0" + JSON)
};

/// Reads an EXIF block, with or without the leading "Exif\0\0". What is damaged is left at its
/// default.
Exif read_exif(std::span<const std::byte> block);

/// An EXIF block ("MM", without "Exif\0\0") that holds the metadata; empty for empty metadata. The
/// comment is UTF-16 big-endian: other readers of A1111 infotext understand no other.
std::string write_exif(const Metadata& metadata);

/// What an EXIF block says about the recipe, for formats that have no texts of their own.
Metadata to_metadata(Exif exif);

}  // namespace mezzo
