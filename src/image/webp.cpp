// WebP through libwebp (RFC 9649); EXIF by our own reader.
#include <memory>
#include <string>

#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include "base/error.h"
#include "image/exif.h"
#include "image/formats.h"
#include "image/text_encoding.h"

namespace mezzo {
namespace {

template <auto Release>
struct Releaser {
  template <class T>
  void operator()(T* p) const {
    Release(p);
  }
};
using Demuxer = std::unique_ptr<WebPDemuxer, Releaser<WebPDemuxDelete>>;
using Mux = std::unique_ptr<WebPMux, Releaser<WebPMuxDelete>>;

WebPData data_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

Exif exif_of(const WebPDemuxer* demuxer) {
  WebPChunkIterator chunk;
  if (!WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) return {};
  Exif exif = read_exif({reinterpret_cast<const std::byte*>(chunk.chunk.bytes), chunk.chunk.size});
  WebPDemuxReleaseChunkIterator(&chunk);
  return exif;
}

/// The picture alone, without metadata. Owns the library's buffer.
struct Encoded {
  WebPMemoryWriter writer;
  Encoded() { WebPMemoryWriterInit(&writer); }
  ~Encoded() { WebPMemoryWriterClear(&writer); }
  Encoded(const Encoded&) = delete;
  Encoded& operator=(const Encoded&) = delete;
};
struct Picture {
  WebPPicture p;
  ~Picture() { WebPPictureFree(&p); }
};

void compress(const Image& image, const EncodeOptions& options, Encoded& out) {
  WebPConfig config;
  Picture picture;
  if (!WebPConfigInit(&config) || !WebPPictureInit(&picture.p))
    fail<InternalError>("libwebp is not the version that this program was built for");
  config.quality = static_cast<float>(options.quality);
  config.lossless = options.lossless;
  config.exact = options.lossless;  // colours under full transparency too
  picture.p.width = image.width;
  picture.p.height = image.height;
  picture.p.use_argb = options.lossless;
  picture.p.writer = WebPMemoryWrite;
  picture.p.custom_ptr = &out.writer;
  const int stride = static_cast<int>(image.row_bytes());
  const auto import = image.channels == 4 ? WebPPictureImportRGBA : WebPPictureImportRGB;
  if (!import(&picture.p, image.pixels.data(), stride) || !WebPEncode(&config, &picture.p))
    fail<OutOfMemory>(
        "the WebP could not be written (libwebp error {}); free some memory or write a PNG",
        static_cast<int>(picture.p.error_code));
}

Image grey_to_rgb(const Image& grey) {
  Image rgb = make_image(grey.width, grey.height, 3);
  for (std::size_t i = 0; i < rgb.pixels.size(); ++i) rgb.pixels[i] = grey.pixels[i / 3];
  return rgb;
}

}  // namespace

StoredImage decode_webp(std::span<const std::byte> bytes, const DecodeOptions& options) {
  const WebPData data = data_of(bytes);
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data.bytes, data.size, &features) != VP8_STATUS_OK)
    fail<UsageError>("{}: the WebP is damaged or truncated; get another copy", options.name);
  check_size(static_cast<std::uint64_t>(features.width),
             static_cast<std::uint64_t>(features.height), options);
  if (features.has_animation)
    fail<UsageError>("{}: is an animated WebP; save the frame you mean as a picture of its own",
                     options.name);
  const Demuxer demuxer(WebPDemux(&data));
  if (!demuxer)
    fail<UsageError>("{}: the WebP is damaged or truncated; get another copy", options.name);

  StoredImage out;
  out.image = make_image(features.width, features.height, features.has_alpha ? 4 : 3);
  const auto decode = features.has_alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
  if (!decode(data.bytes, data.size, out.image.pixels.data(), out.image.pixels.size(),
              static_cast<int>(out.image.row_bytes())))
    fail<UsageError>("{}: the WebP is damaged or truncated; get another copy", options.name);
  Exif exif = exif_of(demuxer.get());
  out.orientation = exif.orientation;
  out.metadata = to_metadata(std::move(exif));
  return out;
}

std::vector<std::byte> encode_webp(const Image& image, const Metadata& metadata,
                                   const EncodeOptions& options) {
  Encoded encoded;
  compress(image.channels == 1 ? grey_to_rgb(image) : image, options, encoded);
  const WebPData plain{encoded.writer.mem, encoded.writer.size};
  const std::string exif = write_exif(metadata);
  const auto bytes = [](const WebPData& d) {
    const auto* first = reinterpret_cast<const std::byte*>(d.bytes);
    return std::vector<std::byte>(first, first + d.size);
  };
  if (exif.empty()) return bytes(plain);

  const Mux mux(WebPMuxCreate(&plain, 0));
  const WebPData exif_data = data_of(as_byte_span(exif));
  WebPData whole;
  WebPDataInit(&whole);
  if (!mux || WebPMuxSetChunk(mux.get(), "EXIF", &exif_data, 0) != WEBP_MUX_OK ||
      WebPMuxAssemble(mux.get(), &whole) != WEBP_MUX_OK)
    fail<OutOfMemory>("the WebP could not be put together; free some memory or write a PNG");
  const std::unique_ptr<WebPData, Releaser<WebPDataClear>> owner(&whole);
  return bytes(whole);
}

}  // namespace mezzo
