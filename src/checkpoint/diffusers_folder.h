// The folder layout of diffusers: model_index.json, and for every network a folder with config.json
// and weights (safetensors, 16-bit variants, shards with an index, older .bin files).
#pragma once

#include <string>
#include <vector>

#include "checkpoint/bundle.h"

namespace mezzo {

/// True when the folder has a model_index.json.
bool is_diffusers_folder(const fs::path& path);

/// The files behind a source's origin(): the shards where that is an index, else the file itself.
std::vector<fs::path> files_behind(const fs::path& origin);

/// Opens the whole model. Reads headers only. Throws LoadError.
ModelBundle open_diffusers_folder(const fs::path& path);

/// One network: a folder with weights, or a model's folder that has it as `component`. Throws
/// LoadError.
Component open_component_folder(const fs::path& path, const std::string& component);

/// Configs, tokenizers, scheduler and defaults of a folder, for weights that lie elsewhere.
/// Networks that `bundle` lacks stay absent; files that the folder lacks leave what is there.
void read_folder_description(const fs::path& path, ModelBundle& bundle);

}  // namespace mezzo
