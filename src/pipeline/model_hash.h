// The hash by which other programs name a model: the first 10 hex digits of its file's SHA-256.
#pragma once

#include <stop_token>
#include <string>

#include "base/file.h"

namespace mezzo {

/// Of the file, or of the UNet's weights in a folder; remembered between runs by path, size and
/// time, as a large file takes seconds. Empty when stopped or unreadable.
std::string model_hash(const fs::path& model, std::stop_token stop);

}  // namespace mezzo
