// Any bytes as a form that a browser sent: the content type up to the first line's end, then the
// body. Parts that lie in the body, or an ApiError.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "server/http.h"
#include "server/multipart.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo::server;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto line = std::min(text.find('\n'), text.size());
  const std::string body = text.substr(std::min(line + 1, text.size()));
  try {
    std::size_t bytes = 0;
    for (const Part& part : parse_multipart(text.substr(0, line), body)) {
      if (body.find(part.bytes) == body.npos) __builtin_trap();
      bytes += part.bytes.size();
    }
    if (bytes > body.size()) __builtin_trap();
  } catch (const ApiError&) {
    return 0;
  }
  return 0;
}
