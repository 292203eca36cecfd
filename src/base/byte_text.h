// Sizes in messages, in one notation for all of them: powers of 1000, as mezzo plan tells memory.
#pragma once

#include <cstdint>
#include <string>

#include <fmt/format.h>

namespace mezzo {

/// "31.5 MB", "4.30 GB".
inline std::string byte_text(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  return bytes >= 1'000'000'000 ? fmt::format("{:.2f} GB", value / 1e9)
                                : fmt::format("{:.1f} MB", value / 1e6);
}

}  // namespace mezzo
