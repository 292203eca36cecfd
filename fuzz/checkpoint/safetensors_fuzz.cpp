// Any bytes as a safetensors file: a source that can be read whole, or a LoadError.
#include "checkpoint/safetensors.h"
#include "fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo;
  try {
    fuzz::read_all(*open_safetensors(fuzz::file_with(data, size)), size);
  } catch (const LoadError&) {
    return 0;
  }
  return 0;
}
