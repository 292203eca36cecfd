#include "tensor/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "base/byte_text.h"
#include "base/checked.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define MEZZO_POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define MEZZO_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define MEZZO_POISON(p, n) (void)(p)
#define MEZZO_UNPOISON(p, n) (void)(p)
#endif

namespace mezzo {
namespace {
constexpr std::size_t kAlign = 64;
constexpr std::size_t kGuard = 64;  // between allocations, so that address checkers see overruns
constexpr std::size_t kPage = 4096;
constexpr std::size_t kReserve = std::size_t{1} << 38;  // address space only: 256 GiB

std::size_t rounded(std::size_t n) {
  return round_up(std::max<std::size_t>(n, 1), kAlign) + kGuard;
}
}  // namespace

Arena::Arena(bool backed, std::size_t limit) : limit_(limit), backed_(backed) {
  if (!backed) {
    base_ = reinterpret_cast<std::byte*>(std::uintptr_t{1} << 40);  // never dereferenced
    reserved_ = SIZE_MAX / 4;
    return;
  }
  // Address space costs nothing; where it is limited (ulimit -v), less will do.
  for (reserved_ = kReserve; reserved_ >= (std::size_t{1} << 28); reserved_ /= 2) {
    void* p = ::mmap(nullptr, reserved_, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p != MAP_FAILED) {
      base_ = static_cast<std::byte*>(p);
      ::madvise(p, reserved_, MADV_HUGEPAGE);
      return;
    }
  }
  fail<OutOfMemory>("no address space for working memory; raise the limit (ulimit -v)");
}

Arena::~Arena() {
  if (!backed_) return;
  MEZZO_UNPOISON(base_,
                 peak_);  // not all of reserved_: address checkers keep a byte for every eight
  ::munmap(base_, reserved_);
}

void* Arena::allocate(std::size_t bytes, std::size_t beside) {
  std::lock_guard lock(mutex_);
  if (bytes > reserved_ / 2)
    fail<OutOfMemory>("one result of {} is needed; choose a smaller picture", byte_text(bytes));
  const std::size_t n = rounded(bytes);
  auto best = free_.end();
  for (auto it = free_.begin(); it != free_.end(); ++it)
    if (it->second >= n && (best == free_.end() || it->second < best->second)) best = it;
  std::size_t offset;
  if (best != free_.end()) {
    offset = best->first;
    const std::size_t rest = best->second - n;
    free_.erase(best);
    if (rest) free_.emplace(offset + n, rest);
  } else {
    offset = top_;
    if (!free_.empty() &&
        free_.rbegin()->first + free_.rbegin()->second == top_) {  // grow the last gap
      offset = free_.rbegin()->first;
      free_.erase(std::prev(free_.end()));
    }
    const std::size_t end = offset + n;
    if (end > reserved_ || (limit_ && end + beside > limit_)) {
      if (offset != top_) free_.emplace(offset, top_ - offset);
      fail<OutOfMemory>(
          "weights and working memory of {} exceed the limit of {}; choose a smaller picture or "
          "raise --max-ram",
          byte_text(end + beside), byte_text(limit_ ? limit_ : reserved_));
    }
    top_ = end;
    peak_ = std::max(peak_, top_);
    resident_ = std::max(resident_, top_);
  }
  in_use_ += n;
  if (backed_) {
    MEZZO_UNPOISON(base_ + offset, n - kGuard);
    MEZZO_POISON(base_ + offset + n - kGuard, kGuard);
  }
  return base_ + offset;
}

void Arena::release(void* data, std::size_t bytes) noexcept {
  std::lock_guard lock(mutex_);
  const std::size_t n = rounded(bytes);
  std::size_t offset = static_cast<std::size_t>(static_cast<std::byte*>(data) - base_), size = n;
  if (backed_) MEZZO_POISON(data, n);
  in_use_ -= n;
  auto next = free_.lower_bound(offset);
  if (next != free_.end() && offset + size == next->first) {
    size += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    auto prev = std::prev(next);
    if (prev->first + prev->second == offset) {
      offset = prev->first;
      size += prev->second;
      free_.erase(prev);
    }
  }
  if (offset + size == top_)
    top_ = offset;
  else
    free_.emplace(offset, size);
}

void Arena::trim() {
  std::lock_guard lock(mutex_);
  resident_ = top_;
  if (!backed_) return;
  auto give_back = [&](std::size_t begin, std::size_t end) {
    begin = round_up(begin, kPage);
    end = end / kPage * kPage;
    if (begin < end) ::madvise(base_ + begin, end - begin, MADV_DONTNEED);
  };
  for (auto [offset, size] : free_) give_back(offset, offset + size);
  give_back(top_, peak_);
}

}  // namespace mezzo
