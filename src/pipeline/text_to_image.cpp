#include "pipeline/job.h"

namespace mezzo {

Start text_to_image(const Job& job, const Model&, const sampling::SamplingPlan& plan,
                    Draws& draws) {
  return {.x = sampling::from_noise(plan, job.noise(draws))};
}

}  // namespace mezzo
