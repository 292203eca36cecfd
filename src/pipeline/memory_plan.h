// Predicts memory, work and time of a request by running the pipeline on the `meta` backend.
#pragma once

#include "backend/backend.h"
#include "checkpoint/bundle.h"
#include "mezzotint/engine.h"

namespace mezzo {

Plan plan_request(const ModelBundle& bundle, const EngineOptions& options, Precision precision,
                  const GenerateParams& params);

/// The plan, or OutOfMemory when it needs more than options.max_ram or than the machine has, with
/// the numbers and a change that would fit.
Plan check_memory(const ModelBundle& bundle, const EngineOptions& options, Precision precision,
                  const GenerateParams& params);

}  // namespace mezzo
