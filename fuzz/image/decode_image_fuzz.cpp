// Any bytes as a picture: decoded, or refused with a UsageError, within the limits. What is decoded
// can be written again.
#include <cstddef>
#include <cstdint>
#include <span>

#include "image/codec.h"
#include "mezzotint/errors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo;
  // Limits are lower than the program's: a picture at the limit would take most of the time there
  // is.
  const DecodeOptions options{.max_pixels = 1 << 20, .max_side = 4096, .max_text = 1 << 16};
  try {
    const DecodedImage decoded = decode_image(std::as_bytes(std::span(data, size)), options);
    const auto png =
        encode_image(decoded.image, ImageFormat::kPng, decoded.metadata, {.effort = 1});
    if (decode_image(png, options).image.pixels != decoded.image.pixels) __builtin_trap();
  } catch (const UsageError&) {
  }
  return 0;
}
