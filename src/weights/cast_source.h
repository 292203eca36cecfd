// A source whose tensors have other element types than in the file: converted, and quantised, while
// they are read.
#pragma once

#include <functional>
#include <memory>

#include "weights/source.h"

namespace mezzo {

/// The type that a tensor shall have.
using TypePolicy = std::function<DType(const TensorInfo&)>;

/// The types must be ones that can be written (tensor/convert.h) and whose blocks the sizes of the
/// tensors allow.
std::shared_ptr<const TensorSource> cast_to(std::shared_ptr<const TensorSource> source,
                                            const TypePolicy& type_of);

/// n values of type `from` as type `to`, by all cores: quantising is slow.
void convert_values(DType from, const std::byte* in, std::int64_t n, DType to, std::byte* out);

}  // namespace mezzo
