// Any bytes as a GGUF file: tensors and values that can be read whole, or a LoadError.
#include "checkpoint/bundle_gguf.h"
#include "fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo;
  try {
    const fs::path path = fuzz::file_with(data, size);
    const auto file = open_gguf(path);
    fuzz::read_all(*file, size);
    for (const auto& [key, value] : file->values()) {
      file->string(key);
      file->number(key);
      file->strings(key);
      file->integers(key);
    }
    if (is_bundle(*file)) read_bundle(file, path);
  } catch (const LoadError&) {
    return 0;
  }
  return 0;
}
