// Where weights come from: named tensors that can be listed without reading them. Files
// (checkpoint/), casts and merges are sources; models only ever see this interface.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "tensor/tensor.h"

namespace mezzo {

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  std::size_t bytes() const { return static_cast<std::size_t>(*byte_size(dtype, shape.numel())); }
};

class TensorSource {
 public:
  virtual ~TensorSource() = default;
  /// Every tensor, sorted by name, each name once.
  virtual const std::vector<TensorInfo>& tensors() const = 0;
  /// The values of tensors()[index], in its dtype, row-major: info.bytes() bytes. Thread-safe.
  /// Throws LoadError.
  virtual void read(std::size_t index, std::span<std::byte> out) const = 0;
  /// Bytes begin .. begin + out.size() - 1 of the same. A source that cannot do better reads the
  /// whole tensor for them.
  virtual void read_part(std::size_t index, std::size_t begin, std::span<std::byte> out) const;
  /// For messages: the file the tensors come from.
  virtual std::string origin() const = 0;

  /// Index of the tensor of that name, or -1.
  std::ptrdiff_t find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) >= 0; }
  /// A host tensor with the values of that name; throws LoadError where there is none.
  Tensor load(std::string_view name) const;
};

/// The tensors of `source` whose names begin with `prefix`, without it.
std::shared_ptr<const TensorSource> with_prefix_removed(std::shared_ptr<const TensorSource> source,
                                                        std::string_view prefix);

}  // namespace mezzo
