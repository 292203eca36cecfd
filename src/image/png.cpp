// PNG through libpng's low-level API (PNG specification 1.2, third edition). The chunks are walked
// by our own code first: it checks sizes and checksums and takes texts and EXIF; libpng sees
// nothing but IHDR, PLTE, tRNS and IDAT.
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <string_view>

#include <png.h>
#include <zlib.h>

#include "base/checked.h"
#include "base/error.h"
#include "image/exif.h"
#include "image/formats.h"
#include "image/text_encoding.h"

namespace mezzo {
namespace {

constexpr std::size_t kSignatureBytes = 8;
constexpr std::size_t kChunkOverhead = 12;  // length, type, checksum
constexpr std::size_t kHeaderBytes = 13;
// Deflate never makes data more than 1032 times smaller: a picture that would need it is cut or a
// bomb.
constexpr std::uint64_t kMaxDeflateRatio = 1032;

struct PngHeader {
  std::uint32_t width = 0, height = 0;
  int depth = 0, color = 0;
  bool transparent_color = false;  // has tRNS
  std::uint64_t data_bytes = 0;    // of all IDAT

  int file_channels() const {
    return color == PNG_COLOR_TYPE_RGB          ? 3
           : color == PNG_COLOR_TYPE_RGB_ALPHA  ? 4
           : color == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                                : 1;
  }
  int channels() const {
    const bool alpha = transparent_color || (color & PNG_COLOR_MASK_ALPHA) != 0;
    return alpha ? 4 : (color & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1;
  }
};

struct Chunk {
  std::string_view type;
  std::span<const std::byte> payload;
  bool intact = false;  // the checksum is right
  bool critical() const { return (type[0] & 0x20) == 0; }
};

std::uint32_t big_endian(std::span<const std::byte> b, std::size_t at) {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < 4; ++i) v = v << 8 | std::to_integer<std::uint32_t>(b[at + i]);
  return v;
}

/// The chunk at `pos`, which moves behind it.
Chunk next_chunk(std::span<const std::byte> bytes, std::size_t& pos, const std::string& name) {
  const auto rest = bytes.subspan(pos);
  const std::size_t length = rest.size() < kChunkOverhead ? 0 : big_endian(rest, 0);
  if (rest.size() < kChunkOverhead || length > rest.size() - kChunkOverhead)
    fail<UsageError>("{}: the PNG is truncated after {} bytes; get a complete copy", name,
                     bytes.size());
  Chunk c{as_text(rest.subspan(4, 4)), rest.subspan(8, length)};
  const auto sum =
      crc32(0, reinterpret_cast<const Bytef*>(rest.data() + 4), static_cast<uInt>(4 + length));
  c.intact = sum == big_endian(rest, 8 + length);
  pos += kChunkOverhead + length;
  return c;
}

PngHeader parse_header(const Chunk& c, const DecodeOptions& options) {
  if (c.type != "IHDR" || c.payload.size() != kHeaderBytes || !c.intact)
    fail<UsageError>("{}: the PNG's header is damaged; get another copy", options.name);
  PngHeader h;
  h.width = big_endian(c.payload, 0);
  h.height = big_endian(c.payload, 4);
  h.depth = std::to_integer<int>(c.payload[8]);
  h.color = std::to_integer<int>(c.payload[9]);
  check_size(h.width, h.height, options);
  return h;
}

/// Header, texts and EXIF; throws when the chunks cannot hold the picture that the header promises.
PngHeader walk(std::span<const std::byte> bytes, const DecodeOptions& options, StoredImage& out) {
  std::size_t pos = kSignatureBytes;
  PngHeader header = parse_header(next_chunk(bytes, pos, options.name), options);
  PngTextReader texts(options.max_text);
  Exif exif;
  for (bool more = true; more && pos < bytes.size();) {
    const Chunk c = next_chunk(bytes, pos, options.name);
    if (!c.intact) {
      if (!c.critical() && c.type != "tRNS")
        continue;  // a picture is worth more than its damaged text
      fail<UsageError>(
          "{}: the PNG is damaged: the checksum of its {} chunk is wrong; get another copy",
          options.name, c.critical() ? std::string(c.type) : "tRNS");
    }
    if (c.type == "IEND") more = false;
    if (c.type == "IDAT") header.data_bytes += c.payload.size();
    if (c.type == "tRNS") header.transparent_color = true;
    if (c.type == "eXIf") exif = read_exif(c.payload);
    texts.read(c.type, c.payload);
  }
  const std::uint64_t row_bits = std::uint64_t{header.width} *
                                 static_cast<std::uint64_t>(header.depth * header.file_channels());
  if (row_bits / 8 * header.height / kMaxDeflateRatio > header.data_bytes)
    fail<UsageError>(
        "{}: {} bytes of data cannot hold {}x{} pixels: the PNG is truncated or forged; "
        "get another copy",
        options.name, header.data_bytes, header.width, header.height);
  out.orientation = exif.orientation;
  out.metadata = texts.take();
  Metadata from_exif = to_metadata(std::move(exif));
  if (out.metadata.parameters.empty()) out.metadata.parameters = std::move(from_exif.parameters);
  if (out.metadata.request.empty()) out.metadata.request = std::move(from_exif.request);
  return header;
}

// ---- libpng reports errors by longjmp. The functions that a jump crosses own nothing that needs a
// destructor. ----

struct PngError {
  char message[160] = "";
};

void on_error(png_structp png, png_const_charp message) {
  auto* error = static_cast<PngError*>(png_get_error_ptr(png));
  std::snprintf(error->message, sizeof error->message, "%s", message);
  png_longjmp(png, 1);
}
void on_warning(png_structp, png_const_charp) {}

struct ReadJob {
  const std::byte* next;
  std::size_t left;
  std::uint8_t* pixels;
  std::size_t row_bytes;
  std::uint32_t height;
  int channels;
  int max_side;
  PngError error;
};

void read_bytes(png_structp png, png_bytep out, png_size_t n) {
  auto* job = static_cast<ReadJob*>(png_get_io_ptr(png));
  if (n > job->left) png_error(png, "the data end too early");
  std::memcpy(out, job->next, n);
  job->next += n;
  job->left -= n;
}

void read_rows(png_structp png, png_infop info, const ReadJob* job) {
  const auto side = static_cast<png_uint_32>(job->max_side);
  png_set_user_limits(png, side, side);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(png, info);
  png_set_expand(png);  // palette to RGB, grey to 8 bit, tRNS to alpha
  png_set_scale_16(png);
  if (job->channels == 4) {
    png_set_gray_to_rgb(png);
    png_set_add_alpha(png, 0xFF, PNG_FILLER_AFTER);  // where tRNS came without effect
  }
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != job->row_bytes)
    png_error(png, "its chunks contradict each other");
  for (int pass = 0; pass < passes; ++pass)
    for (std::uint32_t y = 0; y < job->height; ++y)
      png_read_row(png, job->pixels + y * job->row_bytes, nullptr);
  // png_read_end() is left out: checksums are known to be right, and surplus data need not be
  // inflated.
}

bool run(ReadJob* job) {
  png_structp png =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, &job->error, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, nullptr);
    return false;
  }
  png_set_read_fn(png, job, read_bytes);
  read_rows(png, info, job);
  png_destroy_read_struct(&png, &info, nullptr);
  return true;
}

struct WriteJob {
  const Image* image;
  const PngTextChunk* chunks;
  std::size_t chunk_count;
  int effort;
  std::vector<std::byte>* out;
  PngError error;
};

void write_bytes(png_structp png, png_bytep data, png_size_t n) {
  auto* job = static_cast<WriteJob*>(png_get_io_ptr(png));
  bool ok = true;
  try {
    const auto* first = reinterpret_cast<const std::byte*>(data);
    job->out->insert(job->out->end(), first, first + n);
  } catch (const std::bad_alloc&) {
    ok = false;
  }
  if (!ok) png_error(png, "not enough memory");
}
void flush_nothing(png_structp) {}

void write_rows(png_structp png, png_infop info, const WriteJob* job) {
  const Image& image = *job->image;
  const int color = image.channels == 1   ? PNG_COLOR_TYPE_GRAY
                    : image.channels == 3 ? PNG_COLOR_TYPE_RGB
                                          : PNG_COLOR_TYPE_RGB_ALPHA;
  png_set_compression_level(png, job->effort);
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.width),
               static_cast<png_uint_32>(image.height), 8, color, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (std::size_t i = 0; i < job->chunk_count; ++i) {
    const PngTextChunk& c = job->chunks[i];
    png_write_chunk(png, reinterpret_cast<png_const_bytep>(c.type.data()),
                    reinterpret_cast<png_const_bytep>(c.payload.data()), c.payload.size());
  }
  for (int y = 0; y < image.height; ++y) png_write_row(png, image.row(y));
  png_write_end(png, info);
}

bool run(WriteJob* job) {
  png_structp png =
      png_create_write_struct(PNG_LIBPNG_VER_STRING, &job->error, on_error, on_warning);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    return false;
  }
  png_set_write_fn(png, job, write_bytes, flush_nothing);
  write_rows(png, info, job);
  png_destroy_write_struct(&png, &info);
  return true;
}

}  // namespace

StoredImage decode_png(std::span<const std::byte> bytes, const DecodeOptions& options) {
  StoredImage out;
  const PngHeader header = walk(bytes, options, out);
  out.image = make_image(narrow<int>(header.width), narrow<int>(header.height), header.channels());
  ReadJob job{bytes.data(),  bytes.size(),      out.image.pixels.data(), out.image.row_bytes(),
              header.height, header.channels(), options.max_side,        {}};
  if (!run(&job))
    fail<UsageError>("{}: the PNG is damaged or truncated ({}); get another copy", options.name,
                     job.error.message);
  return out;
}

std::vector<std::byte> encode_png(const Image& image, const Metadata& metadata,
                                  const EncodeOptions& options) {
  std::vector<std::byte> out;
  const auto chunks = png_text_chunks(metadata);
  WriteJob job{&image, chunks.data(), chunks.size(), options.effort, &out, {}};
  if (!run(&job)) fail<OutOfMemory>("the PNG could not be written: {}", job.error.message);
  return out;
}

}  // namespace mezzo
