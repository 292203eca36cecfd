// Several sources as one: the shards of a model.
#pragma once

#include <memory>
#include <vector>

#include "weights/source.h"

namespace mezzo {

/// All tensors of all parts. Throws LoadError when a name occurs twice.
std::shared_ptr<const TensorSource> merged(std::vector<std::shared_ptr<const TensorSource>> parts,
                                           std::string origin);

}  // namespace mezzo
