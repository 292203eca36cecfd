// Settings of an engine as the program understands them.
#pragma once

#include "backend/backend.h"
#include "checkpoint/bundle.h"
#include "mezzotint/engine.h"

namespace mezzo {

/// Throws UsageError for an unknown name, saying which there are.
Precision precision_of(const EngineOptions& options);
std::string precision_name(Precision p);

OpenOptions open_options(const EngineOptions& options);

/// Bytes of the process that no plan counts: the program, its libraries, generated code.
std::uint64_t process_overhead();

}  // namespace mezzo
