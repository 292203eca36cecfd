// A picture as latents for every picture of a batch.
#pragma once

#include "pipeline/job.h"

namespace mezzo {

/// Takes one draw for the posterior (diffusers samples it too).
sampling::Latents encode_image(const Job& job, const Model& model, const Image& rgb, Draws& draws);

}  // namespace mezzo
