// Timings of an open model: each network alone, against what the machine gives at its best.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "mezzotint/engine.h"
#include "pipeline/model.h"

namespace mezzo {

struct MeasureConfig {
  std::int64_t width, height;
  double load_s;  // what it took to open the model, but for the networks that are read here
  const BenchOptions& options;
};

/// docs/performance.md names the fields.
nlohmann::json measure(const Model& model, Precision precision, const MeasureConfig& config);

}  // namespace mezzo
