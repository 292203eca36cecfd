// Any text as a request: parameters that say themselves again the same way, or a UsageError.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mezzotint/errors.h"
#include "mezzotint/params.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo;
  GenerateParams params;
  try {
    params = params_from_json({reinterpret_cast<const char*>(data), size});
  } catch (const UsageError&) {
    return 0;
  }
  const auto text = to_json(params);
  if (to_json(params_from_json(text)) != text) __builtin_trap();
  try {
    validate(params);
  } catch (const UsageError&) {
    return 0;
  }
  return 0;
}
