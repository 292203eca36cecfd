// Predicts memory, work and time of a request by running the pipeline on the `meta` backend, and
// chooses how the model is kept in memory so that the request fits.
#pragma once

#include "backend/backend.h"
#include "checkpoint/bundle.h"
#include "mezzotint/engine.h"
#include "pipeline/memory_strategy.h"

namespace mezzo {

/// What is planned. The precision is that of the options (precision_of()).
struct PlanQuestion {
  const ModelBundle& bundle;
  const EngineOptions& options;
  Precision precision;
  const GenerateParams& params;
  bool previews = false;  // are made between the steps
};

/// What a request takes under a strategy, whether it fits or not.
Plan plan_request(const PlanQuestion& question, const MemoryStrategy& strategy);

struct PlannedMemory {
  MemoryStrategy strategy;
  Plan plan;
};

/// The bytes that the process may take: options.max_ram or what the machine has free; 0: not known.
std::uint64_t memory_limit(const EngineOptions& options);

enum class Until { kLoaded, kDrawn };

/// The fastest strategy that fits the limit and the preset of the options. Where none fits:
/// OutOfMemory with the numbers and the smallest change that would; with kLoaded only when not even
/// the model alone fits, else the smallest.
PlannedMemory fit_memory(const PlanQuestion& question, Until until = Until::kDrawn);

}  // namespace mezzo
