// How fast the CPU backend is expected to be, for predictions.
#pragma once

#include "backend/backend.h"

namespace mezzo {

/// Seconds that this operation takes on `threads` cores of this CPU.
double predicted_seconds(const OpRecord& op, int threads);

}  // namespace mezzo
