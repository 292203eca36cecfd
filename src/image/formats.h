// The file formats behind codec.h: one pair of functions each, used by the table in codec.cpp only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "image/codec.h"

namespace mezzo {

/// A picture as the file stores it, before it is turned upright.
struct StoredImage {
  Image image;
  int orientation = 1;  // EXIF
  Metadata metadata;
};

/// Throws UsageError when a header asks for no pixels or for more than the limits allow.
void check_size(std::uint64_t width, std::uint64_t height, const DecodeOptions& options);

/// An image of that size, its pixels zero. The size has passed check_size(), or comes from an
/// Image.
Image make_image(int width, int height, int channels);

/// A picture composited over white (alpha dropped from the result), as JPEG needs it.
Image over_white(const Image& image);

StoredImage decode_png(std::span<const std::byte> bytes, const DecodeOptions& options);
StoredImage decode_jpeg(std::span<const std::byte> bytes, const DecodeOptions& options);
StoredImage decode_webp(std::span<const std::byte> bytes, const DecodeOptions& options);

std::vector<std::byte> encode_png(const Image&, const Metadata&, const EncodeOptions&);
std::vector<std::byte> encode_jpeg(const Image&, const Metadata&, const EncodeOptions&);
std::vector<std::byte> encode_webp(const Image&, const Metadata&, const EncodeOptions&);

}  // namespace mezzo
