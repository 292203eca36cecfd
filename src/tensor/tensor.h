// Tensors: values and views on reference-counted storage. No arithmetic here (see ops/).
#pragma once

#include <cstddef>
#include <memory>

#include "base/error.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace mezzo {

/// Where storage lives: hands out and takes back memory. A backend (backend/backend.h) is one.
class Device {
 public:
  virtual ~Device() = default;
  virtual void* allocate(std::size_t bytes) = 0;  // aligned to 64 bytes; throws OutOfMemory
  virtual void release(void* data, std::size_t bytes) noexcept = 0;
  virtual bool has_data() const {
    return true;
  }  // false: addresses only, never to be read or written
};

/// Plain memory of the process, for weights and other data that is not an activation.
Device& host();

/// A typed, shaped view of shared storage. Copying shares the storage; nothing is const-propagated.
/// Strides are in elements, outermost first; a tensor of blocks (q8_0 ...) is always contiguous.
class Tensor {
 public:
  Tensor() = default;
  /// New storage, not initialised.
  Tensor(Device& device, DType dtype, const Shape& shape);
  /// A view on memory that `owner` keeps alive.
  Tensor(std::shared_ptr<void> owner, void* data, Device& device, DType dtype, const Shape& shape);

  bool defined() const { return device_ != nullptr; }
  explicit operator bool() const { return defined(); }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  std::int64_t dim(int i) const { return shape_[i]; }
  std::int64_t stride(int i) const {
    return strides_[static_cast<std::size_t>(i < 0 ? i + rank() : i)];
  }
  std::int64_t numel() const { return shape_.numel(); }
  std::size_t bytes() const;  // of the values, as if contiguous
  bool contiguous() const;
  Device& device() const { return *device_; }

  void* raw() const { return data_; }
  template <class T>
  T* data() const {
    return static_cast<T*>(data_);
  }

  /// The same values under another shape of equal size. The tensor must be contiguous.
  Tensor view(const Shape& shape) const;
  /// Elements begin..end-1 of one dimension: a view.
  Tensor slice(int dim, std::int64_t begin, std::int64_t end) const;
  /// Dimensions in another order: a view. permute({0, 2, 3, 1}) shows [B, C, H, W] as [B, H, W, C].
  Tensor permute(std::initializer_list<int> order) const;

 private:
  std::shared_ptr<void> storage_;
  void* data_ = nullptr;
  Device* device_ = nullptr;
  DType dtype_ = DType::kF32;
  Shape shape_;
  std::array<std::int64_t, Shape::kMaxRank> strides_{};
};

}  // namespace mezzo
