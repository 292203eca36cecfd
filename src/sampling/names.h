// Names of samplers and schedules as people and programs write them: "DPM++ 2M Karras",
// "k_dpmpp_2m", "dpm++2m".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mezzo::sampling {

/// Lower case, without spaces, underscores, hyphens; "+" is spelled "p"; a leading "k_" or
/// "sample_" is dropped: "DPM++ 2M" and "k_dpmpp_2m" are both "dpmpp2m".
std::string plain_name(std::string_view name);

/// Whether `name` means the entry with this name, display name and aliases.
bool matches_name(std::string_view name, std::string_view entry, std::string_view display,
                  const std::vector<std::string_view>& aliases);

}  // namespace mezzo::sampling
