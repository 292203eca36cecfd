// Any single file of weights as a TensorSource, the format recognised by content, never by name.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"
#include "weights/source.h"

namespace mezzo {

enum class FileFormat { kSafetensors, kTorch, kGguf };
std::string_view name(FileFormat format);  // "safetensors", "PyTorch", "GGUF"

/// What the first bytes say. Throws LoadError for everything else, saying what the file is: a web
/// page, a Git LFS pointer, a picture, an archive, empty, a folder ...
FileFormat detect_format(const fs::path& path);

/// Opens the file with the reader of its format. Throws LoadError.
std::shared_ptr<const TensorSource> open_weights(const fs::path& path);

}  // namespace mezzo
