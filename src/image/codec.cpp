#include "image/codec.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/ascii.h"
#include "base/byte_text.h"
#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "image/exif.h"
#include "image/formats.h"
#include "image/pixels.h"
#include "image/text_encoding.h"

namespace mezzo {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kMaxExifInJpeg = 65533 - 6;  // a segment less its length and "Exif\0\0"

struct Format {
  ImageFormat format;
  std::string_view name;
  bool (*recognises)(std::string_view start);
  StoredImage (*decode)(std::span<const std::byte>, const DecodeOptions&);
  std::vector<std::byte> (*encode)(const Image&, const Metadata&, const EncodeOptions&);
  int max_side;
  std::array<std::string_view, 3> extensions;
};

constexpr Format kFormats[] = {
    {ImageFormat::kPng,
     "PNG",
     [](std::string_view s) { return s.starts_with("\x89PNG\r\n\x1A\n"sv); },
     decode_png,
     encode_png,
     0x7FFFFFFF,
     {".png"}},
    {ImageFormat::kJpeg,
     "JPEG",
     [](std::string_view s) { return s.starts_with("\xFF\xD8\xFF"sv); },
     decode_jpeg,
     encode_jpeg,
     65500,
     {".jpg", ".jpeg", ".jpe"}},
    {ImageFormat::kWebp,
     "WebP",
     [](std::string_view s) {
       return s.size() >= 12 && s.starts_with("RIFF") && s.substr(8, 4) == "WEBP";
     },
     decode_webp,
     encode_webp,
     16383,
     {".webp"}},
};

/// What else people hand in, by the bytes at an offset.
struct Kind {
  std::size_t offset;
  std::string_view magic;
  std::string_view what;
};
constexpr Kind kOtherKinds[] = {
    {0, "GIF8", "a GIF"},
    {0, "BM", "a BMP"},
    {0, "II*\0"sv, "a TIFF"},
    {0, "MM\0*"sv, "a TIFF"},
    {4, "ftypavif", "an AVIF picture"},
    {4, "ftypheic", "a HEIC picture"},
    {4, "ftypheix", "a HEIC picture"},
    {4, "ftypmif1", "a HEIF picture"},
    {4, "ftyp", "a video"},
    {0, "\0\0\0\x0CJXL "sv, "a JPEG XL picture"},
    {0, "\xFF\x0A", "a JPEG XL picture"},
    {0, "\0\0\0\x0CjP  "sv, "a JPEG 2000 picture"},
    {0, "8BPS", "a Photoshop document"},
    {0, "gimp xcf", "a GIMP document"},
    {0, "qoif", "a QOI picture"},
    {0, "%PDF", "a PDF"},
    {0, "PK\3\4", "a ZIP archive"},
    {0, "\x1F\x8B", "a gzip file"},
    {0, "GGUF", "a GGUF model"},
    {0, "\x89PNG", "a PNG whose first bytes were changed in transfer"},
    {0, "<svg", "an SVG drawing"},
    {0, "<?xml", "an XML document"},
    {0, "<!DOCTYPE html", "a web page"},
    {0, "<!doctype html", "a web page"},
    {0, "<html", "a web page"},
};

[[noreturn]] void fail_not_an_image(std::string_view bytes, const std::string& name) {
  const auto start = bytes.substr(0, 4096);
  std::string_view what = is_plain_text(start) ? "a text" : "not a picture";
  for (const Kind& k : kOtherKinds) {
    if (start.size() < k.offset || !start.substr(k.offset).starts_with(k.magic)) continue;
    what = k.what;
    break;
  }
  if (bytes.empty()) what = "empty";
  fail<UsageError>("{}: is {}; give a PNG, JPEG or WebP", name, what);
}

const Format& row(ImageFormat format) {
  return *std::ranges::find(kFormats, format, &Format::format);
}

void check_encodable(const Image& image, const Format& format, const EncodeOptions& options) {
  if (image.width <= 0 || image.height <= 0 ||
      image.pixels.size() != image.row_bytes() * static_cast<std::size_t>(image.height) ||
      (image.channels != 1 && image.channels != 3 && image.channels != 4))
    fail<UsageError>("a picture of {}x{} pixels and {} channels cannot be written", image.width,
                     image.height, image.channels);
  if (std::max(image.width, image.height) > format.max_side)
    fail<UsageError>(
        "a {} can be {} pixels wide and high at most, this picture is {}x{}; write a PNG",
        format.name, format.max_side, image.width, image.height);
  if (options.quality < 1 || options.quality > 100)
    fail<UsageError>("quality {}: must be 1 to 100", options.quality);
  if (options.effort < 0 || options.effort > 9)
    fail<UsageError>("effort {}: must be 0 to 9", options.effort);
}

}  // namespace

void check_size(std::uint64_t width, std::uint64_t height, const DecodeOptions& options) {
  if (width == 0 || height == 0)
    fail<UsageError>("{}: has no pixels ({}x{}); give another picture", options.name, width,
                     height);
  const auto side = static_cast<std::uint64_t>(options.max_side);
  if (width > side || height > side || width * height > options.max_pixels)
    fail<UsageError>(
        "{}: is {}x{} pixels; at most {} on a side and {} million in all are read: make it smaller",
        options.name, width, height, side, options.max_pixels >> 20);
}

DecodedImage decode_image(std::span<const std::byte> bytes, const DecodeOptions& options) {
  if (bytes.size() > options.max_bytes)
    fail<UsageError>("{}: {} are more than the {} that a picture may have; save it smaller",
                     options.name, byte_text(bytes.size()), byte_text(options.max_bytes));
  const std::string_view start = as_text(bytes);
  const auto* format =
      std::ranges::find_if(kFormats, [&](const Format& f) { return f.recognises(start); });
  if (format == std::end(kFormats)) fail_not_an_image(start, options.name);
  StoredImage stored = format->decode(bytes, options);
  if (stored.metadata.parameters.size() > options.max_text) stored.metadata.parameters.clear();
  if (stored.metadata.request.size() > options.max_text) stored.metadata.request.clear();
  return {upright(std::move(stored.image), stored.orientation), format->format,
          std::move(stored.metadata)};
}

DecodedImage read_image(const fs::path& path, DecodeOptions options) {
  options.name = path.string();
  std::vector<std::byte> bytes;
  try {
    const File file(path);
    if (file.size() > options.max_bytes)
      fail<UsageError>("{}: {} are more than the {} that a picture may have; save it smaller",
                       options.name, byte_text(file.size()), byte_text(options.max_bytes));
    bytes.resize(static_cast<std::size_t>(file.size()));
    file.read(0, bytes);
  } catch (const LoadError& e) {
    throw UsageError(e.what());  // here the file is the user's picture, not a model
  }
  return decode_image(bytes, options);
}

bool fits_metadata(ImageFormat format, const Metadata& metadata) {
  return format != ImageFormat::kJpeg || write_exif(metadata).size() <= kMaxExifInJpeg;
}

std::vector<std::byte> encode_image(const Image& image, ImageFormat format,
                                    const Metadata& metadata, const EncodeOptions& options) {
  const Format& f = row(format);
  check_encodable(image, f, options);
  if (!fits_metadata(format, metadata))
    fail<UsageError>(
        "the picture's texts are longer than the 64 kB that a {} can hold; write a PNG", f.name);
  return f.encode(image, metadata, options);
}

ImageFormat format_for(const fs::path& path) {
  const std::string extension = ascii_lower(path.extension().string());
  std::string known;
  for (const Format& f : kFormats) {
    for (const auto e : f.extensions) {
      if (e.empty()) continue;
      if (e == extension) return f.format;
      known += fmt::format("{}{}", known.empty() ? "" : " ", e);
    }
  }
  fail<UsageError>("{}: the extension says no picture format; use one of {}", path.string(), known);
}

void write_image(const fs::path& path, const Image& image, const Metadata& metadata,
                 const EncodeOptions& options) {
  const ImageFormat format = format_for(path);
  const bool fits = fits_metadata(format, metadata);
  const auto bytes = encode_image(image, format, fits ? metadata : Metadata{}, options);
  if (!fits) {
    fs::path beside = path;
    beside += ".txt";
    write_file_atomically(beside, as_byte_span(metadata.parameters));
  }
  write_file_atomically(path, bytes);
}

}  // namespace mezzo
