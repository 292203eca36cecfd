// Pictures from and to files: PNG, JPEG and WebP through libpng, libjpeg-turbo and libwebp. The
// format of a file is found by its content; sizes are checked in the header before anything is
// allocated for them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "image/metadata.h"
#include "mezzotint/image.h"

namespace mezzo {

enum class ImageFormat { kPng, kJpeg, kWebp };

struct DecodeOptions {
  std::string name = "the picture";   // what error messages call it
  std::size_t max_bytes = 32u << 20;  // of the file
  std::size_t max_pixels = std::size_t{64} << 20;
  int max_side = 16384;             // pixels
  std::size_t max_text = 4u << 20;  // bytes of all texts together; longer ones are dropped
  int max_scans = 100;              // of a progressive JPEG
};

struct DecodedImage {
  Image image;  // upright: the EXIF orientation has been applied
  ImageFormat format = ImageFormat::kPng;
  Metadata metadata;
};

/// Decodes a whole file. Grey pictures have 1 channel, colour 3; transparency of any kind makes
/// it 4. 16-bit samples are rounded to 8 bit, CMYK becomes RGB (Adobe's inverted convention),
/// colour profiles are not applied. Throws UsageError, saying what the bytes are instead, what is
/// damaged or which limit they exceed.
DecodedImage decode_image(std::span<const std::byte> bytes, const DecodeOptions& options = {});

/// Reads and decodes a file; messages name its path. Throws UsageError (also missing, a folder, no
/// permission).
DecodedImage read_image(const std::filesystem::path& path, DecodeOptions options = {});

struct EncodeOptions {
  int quality = 90;       // 1..100 for JPEG and lossy WebP
  bool lossless = false;  // WebP only; PNG always is
  int effort = 6;         // 0 fast .. 9 small, for PNG
};

/// The file's bytes. JPEG has no transparency: it is composited over white. Throws UsageError for a
/// picture that the format cannot hold (an empty one; sides above 65,500 for JPEG, 16,383 for WebP)
/// and for metadata above 64 kB in a JPEG (fits_metadata() tells beforehand).
std::vector<std::byte> encode_image(const Image& image, ImageFormat format,
                                    const Metadata& metadata = {},
                                    const EncodeOptions& options = {});

bool fits_metadata(ImageFormat format, const Metadata& metadata);

/// The format that a file name's extension (any case) asks for. Throws UsageError, listing the
/// known ones.
ImageFormat format_for(const std::filesystem::path& path);

/// Encodes by the extension and writes the file in one step (base/file.h). Metadata that a JPEG
/// cannot hold go to a text file beside it, PATH.txt. Throws UsageError or DeviceError.
void write_image(const std::filesystem::path& path, const Image& image,
                 const Metadata& metadata = {}, const EncodeOptions& options = {});

}  // namespace mezzo
