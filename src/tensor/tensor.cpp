#include "tensor/tensor.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "base/byte_text.h"

namespace mezzo {
namespace {

/// Large blocks come straight from the system and go straight back, so that loading a model leaves
/// no holes behind.
constexpr std::size_t kLarge = 1u << 20;

class Host final : public Device {
 public:
  void* allocate(std::size_t bytes) override {
    if (bytes >= kLarge) {
      void* mapped =
          ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (mapped == MAP_FAILED) refuse(bytes);
      return mapped;
    }
    void* p = ::operator new (std::max<std::size_t>(bytes, 1), std::align_val_t{64}, std::nothrow);
    if (!p) refuse(bytes);
    return p;
  }
  void release(void* data, std::size_t bytes) noexcept override {
    if (bytes >= kLarge)
      ::munmap(data, bytes);
    else
      ::operator delete (data, std::align_val_t{64});
  }

 private:
  [[noreturn]] static void refuse(std::size_t bytes) {
    fail<OutOfMemory>(
        "{} of memory could not be had; close other programs or choose a smaller model",
        byte_text(bytes));
  }
};

std::array<std::int64_t, Shape::kMaxRank> dense_strides(const Shape& s) {
  std::array<std::int64_t, Shape::kMaxRank> r{};
  std::int64_t n = 1;
  for (int i = s.rank() - 1; i >= 0; --i) {
    r[static_cast<std::size_t>(i)] = n;
    n *= s[i];
  }
  return r;
}

std::size_t size_of(DType dtype, const Shape& shape) {
  const auto n = byte_size(dtype, shape.numel());
  check(n.has_value(), "a tensor's size is a whole number of blocks");
  return static_cast<std::size_t>(*n);
}

}  // namespace

Device& host() {
  static Host h;
  return h;
}

Tensor::Tensor(Device& device, DType dtype, const Shape& shape)
    : device_(&device), dtype_(dtype), shape_(shape), strides_(dense_strides(shape)) {
  const std::size_t n = size_of(dtype, shape);
  data_ = device.allocate(n);
  storage_ = std::shared_ptr<void>(data_, [&device, n](void* p) { device.release(p, n); });
}

Tensor::Tensor(std::shared_ptr<void> owner, void* data, Device& device, DType dtype,
               const Shape& shape)
    : storage_(std::move(owner)),
      data_(data),
      device_(&device),
      dtype_(dtype),
      shape_(shape),
      strides_(dense_strides(shape)) {}

std::size_t Tensor::bytes() const { return size_of(dtype_, shape_); }

bool Tensor::contiguous() const { return is_contiguous(shape_, strides_); }

Tensor Tensor::view(const Shape& shape) const {
  check(contiguous(), "view() needs a contiguous tensor");
  check(shape.numel() == numel(), "view() keeps the number of elements");
  Tensor t = *this;
  t.shape_ = shape;
  t.strides_ = dense_strides(shape);
  return t;
}

Tensor Tensor::slice(int d, std::int64_t begin, std::int64_t end) const {
  if (d < 0) d += rank();
  check(0 <= begin && begin <= end && end <= dim(d), "slice() stays inside the tensor");
  check(!is_quantized(dtype_), "slice() needs plain elements");
  Tensor t = *this;
  t.shape_.set(d, end - begin);
  t.data_ = static_cast<std::byte*>(data_) + begin * stride(d) * info(dtype_).bytes;
  return t;
}

Tensor Tensor::permute(std::initializer_list<int> order) const {
  check(static_cast<int>(order.size()) == rank(), "permute() names every dimension");
  Tensor t = *this;
  int to = 0;
  for (int from : order) {
    t.shape_.set(to, dim(from));
    t.strides_[static_cast<std::size_t>(to++)] = stride(from);
  }
  return t;
}

}  // namespace mezzo
