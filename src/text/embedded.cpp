#include "text/embedded.h"

#include <zlib.h>

#include "base/error.h"

namespace mezzo {

std::string inflate_embedded(const unsigned char* gzip, std::size_t size) {
  constexpr int kGzip = 16 + MAX_WBITS;
  constexpr std::size_t kMost = 1 << 20;
  z_stream z{};
  check(inflateInit2(&z, kGzip) == Z_OK, "zlib starts");
  z.next_in = const_cast<Bytef*>(gzip);
  z.avail_in = static_cast<uInt>(size);
  std::string bytes(kMost, '\0');
  z.next_out = reinterpret_cast<Bytef*>(bytes.data());
  z.avail_out = static_cast<uInt>(bytes.size());
  const int state = inflate(&z, Z_FINISH);
  bytes.resize(z.total_out);
  inflateEnd(&z);
  check(state == Z_STREAM_END, "the data that is built in can be inflated");
  return bytes;
}

}  // namespace mezzo
