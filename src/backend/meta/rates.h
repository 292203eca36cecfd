// How fast the CPU backend is expected to be, for predictions.
#pragma once

#include "backend/backend.h"

namespace mezzo {

/// Seconds that this operation takes on `threads` cores of this CPU. `flops`: of float32, in the
/// algorithm that is used.
double predicted_seconds(const OpRecord& op, double flops, int threads);

}  // namespace mezzo
