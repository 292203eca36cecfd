#include "backend/cpu/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <utility>

#include "base/byte_text.h"
#include "base/checked.h"

namespace mezzo {
namespace {
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kCacheLine = 64;
}  // namespace

WeightMemory::WeightMemory(std::size_t bytes, ByteCount count, bool backed)
    : bytes_(bytes), count_(std::move(count)) {
  if (backed) {
    const std::size_t alignment = bytes >= kHugePage ? kHugePage : kCacheLine;
    const std::size_t size = round_up(std::max<std::size_t>(bytes, 1), alignment);
    data_ = static_cast<std::byte*>(std::aligned_alloc(alignment, size));
    if (!data_)
      fail<OutOfMemory>(
          "{} for a weight could not be had; close other programs or choose a smaller model",
          byte_text(bytes));
    // Whole huge pages only: half-used last ones would add up to hundreds of megabytes.
    const std::size_t whole = bytes / kHugePage * kHugePage;
    if (whole > 0) {
      ::madvise(data_, whole, MADV_HUGEPAGE);
      ::madvise(data_ + whole, size - whole, MADV_NOHUGEPAGE);
    }
  }
  *count_ += bytes_;
}

WeightMemory::~WeightMemory() {
  std::free(data_);
  if (count_) *count_ -= bytes_;
}

void WeightMemory::swap(WeightMemory& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(count_, other.count_);
}

}  // namespace mezzo
