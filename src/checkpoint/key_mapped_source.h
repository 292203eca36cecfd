// A source under canonical names: every tensor of another source renamed, split, transposed or
// squeezed as a map says.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "checkpoint/key_maps/key_map.h"
#include "weights/source.h"

namespace mezzo {

/// One tensor of the result.
struct MappedTensor {
  std::string name;
  std::size_t index = 0;  // in the source that is mapped
  Transform transform = Transform::kNone;
};

class KeyMappedSource final : public TensorSource {
 public:
  /// Throws LoadError when two tensors get one name or a shape does not allow its transform.
  KeyMappedSource(std::shared_ptr<const TensorSource> source, std::vector<MappedTensor> tensors);

  const std::vector<TensorInfo>& tensors() const override { return infos_; }
  void read(std::size_t index, std::span<std::byte> out) const override;
  void read_part(std::size_t index, std::size_t begin, std::span<std::byte> out) const override;
  std::string origin() const override { return source_->origin(); }

 private:
  void read_transposed(std::size_t index, std::span<std::byte> out) const;

  std::shared_ptr<const TensorSource> source_;
  std::vector<MappedTensor> mapped_;
  std::vector<TensorInfo> infos_;
};

}  // namespace mezzo
