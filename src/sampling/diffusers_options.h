// How a diffusers scheduler steps, as its configuration says.
#pragma once

#include "sampling/diffusers_schedule.h"

namespace mezzo::sampling {

/// Throws LoadError for values that no step can be made with; warns of fields that are not
/// followed.
SamplerOptions diffusers_options(const SchedulerConfig&, const DiffusersRequest&);

}  // namespace mezzo::sampling
