// Files of prompts for mezzo batch: .txt (a prompt a line, or A1111's flags), .csv (a header names
// the fields) and .jsonl (an object a line). docs/cli.md describes them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mezzotint/params.h"

namespace mezzo::cli {

/// One line that asks for pictures.
struct BatchLine {
  std::size_t line = 0;    // in the file, from 1
  GenerateParams params;   // without the pictures
  std::string init, mask;  // files, relative to the batch file
  std::string error;       // why the line cannot be drawn; the others still can
};

enum class BatchFormat { kText, kCsv, kJsonLines };

/// By the file's extension. Throws UsageError.
BatchFormat batch_format(const std::filesystem::path& file);

/// The lines that are not empty; each begins as `defaults`. Throws UsageError where the file as a
/// whole makes no sense.
std::vector<BatchLine> parse_batch(std::string_view text, BatchFormat format,
                                   const GenerateParams& defaults);

/// Words as a POSIX shell splits them: quotes and backslashes, nothing expanded. Throws UsageError
/// (an open quote).
std::vector<std::string> shell_words(std::string_view line);

/// Records of RFC 4180: quoted fields may hold commas, quotes ("") and newlines. `line` is where a
/// record begins.
struct CsvRecord {
  std::size_t line = 0;
  std::vector<std::string> fields;
};
std::vector<CsvRecord> parse_csv(std::string_view text);

}  // namespace mezzo::cli
