// JPEG through libjpeg-turbo (ITU-T T.81), EXIF by our own reader.
#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>
// jpeglib.h needs size_t and FILE before it.
#include <jerror.h>
#include <jpeglib.h>

#include "base/checked.h"
#include "base/error.h"
#include "image/exif.h"
#include "image/formats.h"
#include "image/text_encoding.h"

namespace mezzo {
namespace {

using namespace std::string_view_literals;

constexpr auto kExifPrefix = "Exif\0\0"sv;
// A block of 64 pixels takes a bit at least; the rest is room for arithmetic coding and
// subsampling.
constexpr std::uint64_t kMaxPixelsPerByte = 4096;
// Coefficients of a progressive picture at the pixel limit.
constexpr long kMaxLibraryMemory = 1L << 30;

/// The payload of the EXIF segment, or nothing. Only the segments before the first scan are looked
/// at.
std::span<const std::byte> find_exif(std::span<const std::byte> bytes) {
  constexpr int kApp1 = 0xE1, kStartOfScan = 0xDA, kFill = 0xFF;
  for (std::size_t pos = 2; pos + 4 <= bytes.size();) {
    if (std::to_integer<int>(bytes[pos]) != 0xFF) break;
    const int marker = std::to_integer<int>(bytes[pos + 1]);
    if (marker == kFill) {
      ++pos;
      continue;
    }
    const std::size_t length = std::to_integer<std::size_t>(bytes[pos + 2]) << 8 |
                               std::to_integer<std::size_t>(bytes[pos + 3]);
    if (marker == kStartOfScan || length < 2 || length > bytes.size() - pos - 2) break;
    const auto payload = bytes.subspan(pos + 4, length - 2);
    if (marker == kApp1 && as_text(payload).starts_with(kExifPrefix)) return payload;
    pos += 2 + length;
  }
  return {};
}

// ---- libjpeg reports errors by longjmp. The functions that a jump crosses own nothing that needs
// a destructor. ----

struct JpegError {
  jpeg_error_mgr base;  // first: libjpeg hands back a pointer to it
  jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void give_up(j_common_ptr cinfo) {
  auto* error = reinterpret_cast<JpegError*>(cinfo->err);
  cinfo->err->format_message(cinfo, error->message);
  std::longjmp(error->jump, 1);
}

/// Warnings are passed over, except the one for data that end too early.
void on_message(j_common_ptr cinfo, int level) {
  if (level < 0 && cinfo->err->msg_code == JWRN_JPEG_EOF) give_up(cinfo);
}

void give_up_with(j_common_ptr cinfo, const char* message) {
  auto* error = reinterpret_cast<JpegError*>(cinfo->err);
  std::snprintf(error->message, sizeof error->message, "%s", message);
  std::longjmp(error->jump, 1);
}

void set_up(JpegError* error, jpeg_error_mgr** slot) {
  *slot = jpeg_std_error(&error->base);
  error->base.error_exit = give_up;
  error->base.emit_message = on_message;
  error->message[0] = '\0';
}

struct ScanLimit {
  jpeg_progress_mgr base;  // first, as above
  int max_scans;
};

void count_scans(j_common_ptr cinfo) {
  const auto* limit = reinterpret_cast<const ScanLimit*>(cinfo->progress);
  if (reinterpret_cast<j_decompress_ptr>(cinfo)->input_scan_number > limit->max_scans)
    give_up_with(cinfo, "it has too many scans");
}

struct Decoder {
  jpeg_decompress_struct cinfo;
  JpegError error;
  ScanLimit limit;
};

bool read_header(Decoder* d, const std::byte* data, std::size_t size) {
  if (setjmp(d->error.jump)) return false;
  jpeg_create_decompress(&d->cinfo);
  d->cinfo.mem->max_memory_to_use = kMaxLibraryMemory;
  d->cinfo.progress = &d->limit.base;
  d->limit.base.progress_monitor = count_scans;
  jpeg_mem_src(&d->cinfo, reinterpret_cast<const unsigned char*>(data), size);
  jpeg_read_header(&d->cinfo, TRUE);
  return true;
}

int output_components(const jpeg_decompress_struct& c) {
  return c.num_components == 1 ? 1 : c.num_components == 4 ? 4 : 3;
}

bool read_pixels(Decoder* d, std::uint8_t* pixels) {
  if (setjmp(d->error.jump)) return false;
  const int channels = output_components(d->cinfo);
  d->cinfo.out_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&d->cinfo);
  const std::size_t row_bytes =
      std::size_t{d->cinfo.output_width} * static_cast<std::size_t>(channels);
  while (d->cinfo.output_scanline < d->cinfo.output_height) {
    JSAMPROW row = pixels + d->cinfo.output_scanline * row_bytes;
    jpeg_read_scanlines(&d->cinfo, &row, 1);
  }
  return true;
}

/// Adobe programs store CMYK inverted, and no others write it: 255 is no ink.
Image rgb_from_inverted_cmyk(const Image& cmyk) {
  Image rgb = make_image(cmyk.width, cmyk.height, 3);
  const std::uint8_t* in = cmyk.pixels.data();
  for (std::size_t i = 0; i < rgb.pixels.size(); i += 3, in += 4)
    for (std::size_t c = 0; c < 3; ++c)
      rgb.pixels[i + c] = static_cast<std::uint8_t>((in[c] * in[3] + 127) / 255);
  return rgb;
}

/// Where the picture is written. libjpeg's own way into memory (jpeg_mem_dest) tells of a new
/// buffer only at the end, so that after a jump nobody knows which one to free.
struct Output {
  jpeg_destination_mgr base;  // first, as above
  std::vector<std::byte>* bytes;
};

Output* output_of(j_compress_ptr cinfo) { return reinterpret_cast<Output*>(cinfo->dest); }

/// Makes room for more than what was written; false when there is no memory. No exception may pass
/// through libjpeg.
bool grow(Output* out) {
  constexpr std::size_t kLeast = 64u << 10;
  const std::size_t written = out->bytes->size();
  try {
    out->bytes->resize(std::max(kLeast, 2 * written));
  } catch (const std::exception&) {
    return false;
  }
  out->base.next_output_byte = reinterpret_cast<JOCTET*>(out->bytes->data() + written);
  out->base.free_in_buffer = out->bytes->size() - written;
  return true;
}

void begin_output(j_compress_ptr cinfo) {
  if (!grow(output_of(cinfo)))
    give_up_with(reinterpret_cast<j_common_ptr>(cinfo), "there is no memory for it");
}

/// libjpeg calls this when the room is used up, all of it.
boolean continue_output(j_compress_ptr cinfo) {
  begin_output(cinfo);
  return TRUE;
}

void end_output(j_compress_ptr cinfo) {
  Output* out = output_of(cinfo);
  out->bytes->resize(out->bytes->size() - out->base.free_in_buffer);
}

struct Encoder {
  jpeg_compress_struct cinfo;
  JpegError error;
  Output out;
};

struct EncodeJob {
  const Image* image;  // 1 or 3 channels
  const std::string* exif;
  int quality;
};

bool write_pixels(Encoder* e, const EncodeJob* job) {
  if (setjmp(e->error.jump)) return false;
  jpeg_create_compress(&e->cinfo);
  e->out.base.init_destination = begin_output;
  e->out.base.empty_output_buffer = continue_output;
  e->out.base.term_destination = end_output;
  e->cinfo.dest = &e->out.base;
  const Image& image = *job->image;
  e->cinfo.image_width = static_cast<JDIMENSION>(image.width);
  e->cinfo.image_height = static_cast<JDIMENSION>(image.height);
  e->cinfo.input_components = image.channels;
  e->cinfo.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&e->cinfo);
  jpeg_set_quality(&e->cinfo, job->quality, TRUE);
  if (job->quality >= 90) {  // colour at full resolution
    e->cinfo.comp_info[0].h_samp_factor = 1;
    e->cinfo.comp_info[0].v_samp_factor = 1;
  }
  e->cinfo.optimize_coding = TRUE;
  jpeg_start_compress(&e->cinfo, TRUE);
  if (!job->exif->empty())
    jpeg_write_marker(&e->cinfo, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(job->exif->data()),
                      static_cast<unsigned>(job->exif->size()));
  while (e->cinfo.next_scanline < e->cinfo.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(image.row(static_cast<int>(e->cinfo.next_scanline)));
    jpeg_write_scanlines(&e->cinfo, &row, 1);
  }
  jpeg_finish_compress(&e->cinfo);
  return true;
}

/// Releases what libjpeg holds, also after a jump.
struct DecoderOwner {
  Decoder d{};
  DecoderOwner(int max_scans) {
    set_up(&d.error, &d.cinfo.err);
    d.limit.max_scans = max_scans;
  }
  ~DecoderOwner() { jpeg_destroy_decompress(&d.cinfo); }
};
struct EncoderOwner {
  Encoder e{};
  EncoderOwner(std::vector<std::byte>* out) {
    set_up(&e.error, &e.cinfo.err);
    e.out.bytes = out;
  }
  ~EncoderOwner() { jpeg_destroy_compress(&e.cinfo); }
};

}  // namespace

StoredImage decode_jpeg(std::span<const std::byte> bytes, const DecodeOptions& options) {
  DecoderOwner owner(options.max_scans);
  Decoder& d = owner.d;
  if (!read_header(&d, bytes.data(), bytes.size()))
    fail<UsageError>("{}: the JPEG is damaged or truncated ({}); get another copy", options.name,
                     d.error.message);
  const std::uint64_t width = d.cinfo.image_width, height = d.cinfo.image_height;
  check_size(width, height, options);
  if (width * height / kMaxPixelsPerByte > bytes.size())
    fail<UsageError>(
        "{}: {} bytes cannot hold {}x{} pixels: the JPEG is truncated or forged; get another copy",
        options.name, bytes.size(), width, height);
  StoredImage out;
  out.image = make_image(narrow<int>(width), narrow<int>(height), output_components(d.cinfo));
  if (!read_pixels(&d, out.image.pixels.data()))
    fail<UsageError>("{}: the JPEG is damaged or truncated ({}); get another copy", options.name,
                     d.error.message);
  if (out.image.channels == 4) out.image = rgb_from_inverted_cmyk(out.image);
  Exif exif = read_exif(find_exif(bytes));
  out.orientation = exif.orientation;
  out.metadata = to_metadata(std::move(exif));
  return out;
}

std::vector<std::byte> encode_jpeg(const Image& image, const Metadata& metadata,
                                   const EncodeOptions& options) {
  std::string exif = write_exif(metadata);
  if (!exif.empty()) exif.insert(0, kExifPrefix);
  const Image opaque = image.channels == 4 ? over_white(image) : Image{};
  std::vector<std::byte> out;
  EncoderOwner owner(&out);
  const EncodeJob job{opaque.empty() ? &image : &opaque, &exif, options.quality};
  if (!write_pixels(&owner.e, &job))
    fail<OutOfMemory>("the JPEG could not be written: {}", owner.e.error.message);
  return out;
}

}  // namespace mezzo
