// Any bytes as EXIF: read without errors; what was read can be written.
#include <cstddef>
#include <cstdint>
#include <span>

#include "image/exif.h"
#include "image/text_encoding.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo;
  const Exif exif = read_exif(std::as_bytes(std::span(data, size)));
  if (exif.orientation < 1 || exif.orientation > 8) __builtin_trap();
  if (!is_utf8(exif.comment) || !is_utf8(exif.maker_note)) __builtin_trap();
  write_exif(to_metadata(exif));
  return 0;
}
