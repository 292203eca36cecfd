// Gives the bytes of a fuzzer to readers that want a file: one in memory, reused.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "weights/source.h"

namespace mezzo::fuzz {

/// A path whose file holds `bytes` until the next call.
inline fs::path file_with(const std::uint8_t* bytes, std::size_t size) {
  static const int fd = ::memfd_create("fuzz", 0);
  if (fd < 0 || ::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, bytes, size, 0) != static_cast<ssize_t>(size))
    std::abort();
  return "/proc/self/fd/" + std::to_string(fd);
}

/// Reads every tensor, as loading a model does. What is larger than the file can only be a defect
/// of a reader.
inline void read_all(const TensorSource& source, std::size_t file_size) {
  for (std::size_t i = 0; i < source.tensors().size(); ++i) {
    const TensorInfo& t = source.tensors()[i];
    if (t.bytes() > file_size) std::abort();
    source.load(t.name);
  }
}

}  // namespace mezzo::fuzz
