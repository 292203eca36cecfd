// What this CPU can do at most, so that other measurements can be given as fractions.
#pragma once

#include "backend/backend.h"

namespace mezzo {

/// GFLOP/s of the fastest of a few convolutions, each the best of some runs: about a second.
/// threads: 0: as many as a CPU backend takes.
double measure_peak_gflops(Precision precision, int threads = 0);

}  // namespace mezzo
