#include "pipeline/job.h"

namespace mezzo {

Start text_to_image(const Job& job, const Model&, const sampling::SamplingPlan& plan,
                    Draws& draws) {
  const auto noise = sampling::Latents::from_floats(
      draws.next(job.latent_channels, job.latent_height, job.latent_width));
  return {.x = sampling::from_noise(plan, noise), .extra_channels = {}, .after_step = {}};
}

}  // namespace mezzo
