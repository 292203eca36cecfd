// Any bytes as the parts of a request that become text and bytes: an address with its query, and
// base64 of a picture. Decoded, never longer than what came, or an ApiError.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/http.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo::server;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto attempt = [](auto&& decode) {
    try {
      decode();
    } catch (const ApiError&) {
    }
  };
  attempt([&] {
    if (url_decoded(text, false).size() > size) __builtin_trap();
  });
  attempt([&] { parse_query(text); });
  attempt([&] {
    const auto bytes = base64_decoded(text, "picture");
    if (bytes.size() > size || base64(bytes).size() > size + 3) __builtin_trap();
  });
  return 0;
}
