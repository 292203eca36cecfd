// The local cache of Hugging Face downloads: models--ORG--NAME/{refs,snapshots}. Only read; nothing
// is downloaded.
#pragma once

#include <optional>
#include <string_view>

#include "base/file.h"

namespace mezzo {

/// A name as the Hub allows: up to 96 letters, digits and - _ . not beginning with a dot.
bool is_hub_name(std::string_view s);

/// The cache: $HF_HUB_CACHE, else $HF_HOME/hub, else $XDG_CACHE_HOME/huggingface/hub, else
/// ~/.cache/huggingface/hub. Empty where none of these is set.
fs::path hf_cache_folder();

/// The snapshot folder of "org/name" in the cache: the one that refs/main names, else the only one.
/// Nothing when it is not there or `id` is no such name.
std::optional<fs::path> find_in_hf_cache(std::string_view id);

}  // namespace mezzo
