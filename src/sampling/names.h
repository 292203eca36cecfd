// Names of samplers and schedules as people and programs write them: "DPM++ 2M Karras",
// "k_dpmpp_2m", "dpm++2m".
#pragma once

#include <span>
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

/// Throws UsageError for a name that is none of `known`: "sampler: "eulr" is not known; did you
/// mean euler, euler_a or ...?", with those that begin most like it, and how to list all.
[[noreturn]] void fail_unknown(std::string_view kind, std::string_view name,
                               std::span<const std::string_view> known);

}  // namespace mezzo::sampling
