#include "base/machine_memory.h"

#include <malloc.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace mezzo {
namespace {

/// A line "Name:   123 kB" of one of the kernel's tables, in bytes; 0 where there is none.
std::uint64_t kernel_value(const char* file, const std::string& name) {
  std::ifstream in(file);
  for (std::string word; in >> word;)
    if (word == name) {
      std::uint64_t kilobytes = 0;
      return in >> kilobytes ? kilobytes << 10 : 0;
    }
  return 0;
}

/// A file that holds one number; "max", or no such file: 0.
std::uint64_t number_in(const char* file) {
  std::uint64_t n = 0;
  std::ifstream in(file);
  return in >> n ? n : 0;
}

}  // namespace

std::uint64_t usable_memory() {
  const std::uint64_t free = kernel_value("/proc/meminfo", "MemAvailable:");
  const std::uint64_t own = kernel_value("/proc/self/status", "VmRSS:");
  if (free == 0) return 0;
  const std::uint64_t group = number_in("/sys/fs/cgroup/memory.max");
  return group ? std::min(group, free + own) : free + own;
}

void return_freed_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

void keep_heap_small() {
#ifdef __GLIBC__
  constexpr int kLarge =
      128 << 10;  // glibc's own choice, which it raises when such a block is freed
  ::mallopt(M_MMAP_THRESHOLD, kLarge);
  ::mallopt(M_TRIM_THRESHOLD, kLarge);
  ::mallopt(M_ARENA_MAX, 1);  // else each thread keeps some of its own
#endif
}

}  // namespace mezzo
