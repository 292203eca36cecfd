// Tensors that are put together from several of a file's: packed numbers and their scales.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "weights/source.h"

namespace mezzo {

/// A tensor in place of several.
struct DerivedTensor {
  TensorInfo info;
  std::function<void(std::span<std::byte>)> read;  // writes info.bytes() bytes; thread-safe
};

/// `source` without its tensors that are `hidden` (one entry for each), with the derived ones.
std::shared_ptr<const TensorSource> with_derived(std::shared_ptr<const TensorSource> source,
                                                 const std::vector<bool>& hidden,
                                                 std::vector<DerivedTensor> derived);

/// The values of a small tensor of `source` as float32.
std::vector<float> load_floats(const TensorSource& source, std::size_t index);

}  // namespace mezzo
