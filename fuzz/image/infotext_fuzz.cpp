// Any bytes as infotext: parsed without errors; what was parsed can be written.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "image/infotext.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo;
  const Infotext parsed = parse_infotext({reinterpret_cast<const char*>(data), size});
  if (!parsed.fields.contains("Prompt") || !parsed.fields.contains("Clip skip")) __builtin_trap();
  write_infotext({parsed.prompt, parsed.negative, parsed.settings_line});
  return 0;
}
