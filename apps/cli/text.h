// Small pieces of output: sizes, wrapped words, JSON.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace mezzo::cli {

/// "512 B", "1.5 MB", "2.1 GB": powers of 1000, as file managers show them.
std::string format_bytes(std::uint64_t bytes);

/// "1 line", "2 lines".
std::string counted(std::size_t n, std::string_view what);

/// Words in lines of at most `columns` characters, each beginning with `indent`.
std::string wrap(std::string_view words, std::size_t columns, std::string_view indent);

/// A to Z made small; other bytes stay.
std::string ascii_lower(std::string_view text);

std::string join(const std::vector<std::string>& words, std::string_view between);

/// Indented JSON with a newline at its end. Text that is not UTF-8 is replaced, not refused.
std::string dump(const nlohmann::ordered_json& json);

/// The candidates nearest to a word that is none of them: "did you mean ...?". Empty where none is
/// near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace mezzo::cli
