// Float8 weights with a scale of their own beside them, for the whole tensor or for each row:
// X.scale_weight as ComfyUI saves them, or X.weight_scale.
#pragma once

#include <memory>

#include "weights/source.h"

namespace mezzo {

/// The same tensors with each scaled float8 weight as one of a scaled type (float32 where its rows
/// are no whole blocks of 64); `source` itself where there is none. Throws LoadError where a scale
/// does not fit its weight.
std::shared_ptr<const TensorSource> with_float8_scales(std::shared_ptr<const TensorSource> source);

}  // namespace mezzo
