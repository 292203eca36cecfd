// The allocator of activations: offsets in one range, best fit, exact reuse. With `backed = false`
// it only counts, and since the offsets are the same, that tells the peak before anything runs.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>

namespace mezzo {

class Arena {
 public:
  /// limit: bytes that may be in use at once; 0: no limit.
  explicit Arena(bool backed, std::size_t limit = 0);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// 64-byte aligned. `beside`: bytes elsewhere that count towards the limit too. Throws
  /// OutOfMemory.
  void* allocate(std::size_t bytes, std::size_t beside = 0);
  void release(void* data, std::size_t bytes) noexcept;

  std::size_t in_use() const { return in_use_; }
  std::size_t peak() const {
    return peak_;
  }  // the highest end of an allocation so far: resident memory
  /// The highest end of an allocation since the last trim().
  std::size_t resident() const { return resident_; }
  /// Gives the memory of free ranges back to the system.
  void trim();

 private:
  std::byte* base_ = nullptr;
  std::size_t reserved_ = 0, limit_, top_ = 0, peak_ = 0, resident_ = 0, in_use_ = 0;
  bool backed_;
  std::map<std::size_t, std::size_t> free_;  // offset -> size, below top_, never adjacent
  std::mutex mutex_;
};

}  // namespace mezzo
