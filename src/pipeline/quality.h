// What other weights change: layer by layer, network by network and in a picture.
#pragma once

#include "checkpoint/bundle.h"
#include "mezzotint/files.h"
#include "pipeline/weight_types.h"

namespace mezzo {

/// Draws a picture with `original` in float32, gives the networks of `other` the same inputs at
/// each step, and draws with them too; one model is in memory at a time. `wanted`: the types that
/// layers should have had.
WeightQuality compare_weights(const ModelBundle& original, const ModelBundle& other,
                              const WeightTypes& wanted, const RunOptions& run);

/// The same for the arithmetic of another precision, with the weights as they are; no layers.
WeightQuality compare_precision(const ModelBundle& model, Precision precision,
                                const RunOptions& run);

/// Root mean square of what the tensor loses as `type`, over that of its values.
double rounding_error(const TensorSource& source, std::size_t index, DType type);

}  // namespace mezzo
