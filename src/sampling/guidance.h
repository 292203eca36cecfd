// Classifier-free guidance: Ho & Salimans 2022 (arXiv:2207.12598); its rescale: Lin et al. 2023
// (arXiv:2305.08891, section 3.4).
#pragma once

#include "sampling/latents.h"

namespace mezzo::sampling {

/// unconditional + scale * (conditional - unconditional).
Latents guide(const Latents& unconditional, const Latents& conditional, double scale);

/// Skip-layer guidance (StabilityAI's sd3.5 reference): `guided` moved away from what a weaker
/// network predicts for the same prompt.
Latents guide_away(Latents guided, const Latents& conditional, const Latents& weaker, double scale);

/// Gives each of `images` guided samples the standard deviation of its conditional prediction, by a
/// share of `amount` (0 none, 1 all).
Latents rescale_guidance(Latents guided, const Latents& conditional, double amount,
                         std::size_t images);

}  // namespace mezzo::sampling
