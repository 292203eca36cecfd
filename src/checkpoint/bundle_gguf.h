// The self-contained model file: one GGUF with all networks (`unet.`, `vae.`, `text_encoder.`
// before the names), their configs, tokenizers, scheduler and defaults as keys `mezzotint.*`.
// docs/checkpoints.md lists the keys.
#pragma once

#include <functional>
#include <string>

#include "checkpoint/bundle.h"
#include "checkpoint/gguf.h"

namespace mezzo {

/// The type that a tensor of a component shall be stored in.
using DTypePolicy = std::function<DType(const std::string& component, const TensorInfo& tensor)>;

/// Writes the model. Throws UsageError when a type cannot hold a tensor (GgufWriter::can_hold),
/// DeviceError, LoadError.
void write_bundle(const ModelBundle& bundle, const fs::path& out, const DTypePolicy& policy);

/// True for files of write_bundle().
bool is_bundle(const Gguf& file);
/// Throws LoadError.
ModelBundle read_bundle(const std::shared_ptr<const Gguf>& file, const fs::path& path);

}  // namespace mezzo
