// Any bytes as a file given for a model, of whatever kind: a bundle whose networks can be read
// whole, or a LoadError; and a report of it, which never throws.
#include "checkpoint/bundle.h"
#include "checkpoint/inspect.h"
#include "fuzz_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo;
  const fs::path path = fuzz::file_with(data, size);
  inspect_file(path);
  try {
    const ModelBundle bundle = open_model(path);
    for (const auto& [name, component] : bundle.components)
      for (const auto& t : component.weights->tensors()) {
        // Matrices are read by rows (token embeddings).
        if (t.shape.rank() == 2 && t.shape.numel() > 0 && !byte_size(t.dtype, t.shape[1]))
          __builtin_trap();
        component.weights->load(t.name);
      }
  } catch (const LoadError&) {
    return 0;
  }
  return 0;
}
