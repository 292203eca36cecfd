// Timings of an open model: each network alone, against what the machine gives at its best.
#pragma once

#include "mezzotint/engine.h"
#include "pipeline/model.h"

namespace mezzo {

struct MeasureConfig {
  std::int64_t width, height;
  const BenchOptions& options;
};

/// One JSON object; docs/performance.md names the fields.
std::string measure(const Model& model, Precision precision, const MeasureConfig& config);

}  // namespace mezzo
