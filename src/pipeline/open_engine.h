// Settings of an engine as the program understands them.
#pragma once

#include "backend/backend.h"
#include "checkpoint/bundle.h"
#include "mezzotint/engine.h"
#include "pipeline/memory_strategy.h"

namespace mezzo {

/// Throws UsageError for an unknown name, saying which there are.
Precision precision_of(const EngineOptions& options);
std::string precision_name(Precision p);

OpenOptions open_options(const EngineOptions& options);

/// The model with the weights of each network as they shall be in memory.
ModelBundle open_bundle(const std::string& model, const EngineOptions& options);

/// Bytes of the process beside weights and activations, as measured: the program and its libraries,
/// the tokenizer of each text encoder, for each layer its description and the alignment of its
/// weights, and, where weights are streamed, what the heap keeps between the layers.
std::uint64_t process_overhead(const ModelBundle& bundle, const MemoryStrategy& strategy,
                               std::uint64_t weight_bytes);

}  // namespace mezzo
