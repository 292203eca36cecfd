// Predicts memory, work and time of a request by running the pipeline on the `meta` backend.
#pragma once

#include "backend/backend.h"
#include "checkpoint/bundle.h"
#include "mezzotint/engine.h"

namespace mezzo {

Plan plan_request(const ModelBundle& bundle, const EngineOptions& options, Precision precision,
                  const GenerateParams& params);

enum class Until { kLoaded, kDrawn };

/// The plan, or OutOfMemory when it needs more than options.max_ram or than the machine has, with
/// the numbers and a change that would fit. kLoaded: only loading the model must fit.
Plan check_memory(const ModelBundle& bundle, const EngineOptions& options, Precision precision,
                  const GenerateParams& params, Until until = Until::kDrawn);

}  // namespace mezzo
