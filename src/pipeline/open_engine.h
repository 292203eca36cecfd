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

/// The model with the weights of each network as they shall be in memory.
ModelBundle open_bundle(const std::string& model, const EngineOptions& options);

/// Bytes of the process beside weights and activations, as measured: the program and its libraries,
/// the tokenizer of each text encoder, and for each layer its description and the alignment of its
/// weights.
std::uint64_t process_overhead(const ModelBundle& bundle, std::uint64_t weight_bytes);

}  // namespace mezzo
