// Memory that is not an activation: weights, counted.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

namespace mezzo {

/// Bytes of packed weights alive, shared by a backend and the weights it made.
using ByteCount = std::shared_ptr<std::atomic<std::size_t>>;

/// Memory of a packed weight: aligned, on huge pages when it is large. Without `backed` it
/// is only counted. Not zeroed: filling it divides that work among the cores.
class WeightMemory {
 public:
  WeightMemory() = default;
  WeightMemory(std::size_t bytes, ByteCount count, bool backed);
  ~WeightMemory();
  WeightMemory(WeightMemory&& other) noexcept { swap(other); }
  WeightMemory& operator=(WeightMemory&& other) noexcept {
    swap(other);
    return *this;
  }

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void swap(WeightMemory& other) noexcept;

  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  ByteCount count_;
};

}  // namespace mezzo
