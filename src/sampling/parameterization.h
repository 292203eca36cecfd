// What a network predicts, and how x0 follows from it.
// Epsilon: Ho et al. 2020 (arXiv:2006.11239). v: Salimans & Ho 2022 (arXiv:2202.00512). Flow: Liu
// et al. 2022 (arXiv:2209.03003). EDM: Karras et al. 2022 (arXiv:2206.00364).
#pragma once

#include "sampling/latents.h"
#include "sampling/schedule.h"

namespace mezzo::sampling {

enum class Prediction { kEpsilon, kV, kSample, kFlow, kEdm };

/// What x is multiplied by before the network sees it: brings variance-exploding states to unit
/// variance; 1 for variance-preserving and flow states. EDM preconditions with sigma_data = 0.5.
double input_scale(Prediction, const Point&);

/// x0 from the network's output for the state x.
Latents to_x0(Prediction, const Latents& output, const Latents& x, const Point&);

/// The inverse of to_x0: what the network must have said.
Latents to_output(Prediction, const Latents& x0, const Latents& x, const Point&);

/// The noise in x, given x0. At alpha = 0 this is x itself.
Latents to_epsilon(const Latents& x0, const Latents& x, const Point&);

}  // namespace mezzo::sampling
