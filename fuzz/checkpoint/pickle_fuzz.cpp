// Any bytes as a PyTorch checkpoint, zip or stream: tensors that can be read whole, or a LoadError;
// and what it asks for.
#include "checkpoint/torch_pickle.h"
#include "fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo;
  const fs::path path = fuzz::file_with(data, size);
  try {
    pickle_requests(path);
  } catch (const LoadError&) {
    return 0;
  }
  try {
    fuzz::read_all(*open_torch(path), size);
  } catch (const LoadError&) {
    return 0;
  }
  return 0;
}
