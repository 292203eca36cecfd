// Timings of an open model: each network alone, against what the machine gives at its best.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "mezzotint/engine.h"
#include "pipeline/conditioning.h"

namespace mezzo {

struct MeasureConfig {
  std::int64_t width, height;
  const BenchOptions& options;
};

/// One JSON object; docs/performance.md names the fields.
std::string measure(const Model& model, Conditioning& conditioning, const nlohmann::json& scheduler,
                    Precision precision, const MeasureConfig& config);

}  // namespace mezzo
