// Names of the files that pictures are saved to: -o takes a file, a folder, or a pattern such as
// "[date]/[seed]-[prompt].png" (A1111's words).
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "mezzotint/params.h"

namespace mezzo::cli {

namespace fs = std::filesystem;

/// What a pattern's words stand for.
struct NameFacts {
  const GenerateParams& params;  // resolved
  std::string prompt;
  std::int64_t seed = 0;
  std::string model;
  std::size_t number = 1;  // of the picture in this run, from 1
};

/// Text as part of a file name: characters that file systems refuse become '_', at most 128 bytes,
/// whole characters.
std::string file_name_part(std::string_view text);

/// A short name from a prompt: "a red apple, 4k" gives "a-red-apple-4k".
std::string slug(std::string_view prompt);

/// The words of a pattern replaced. Throws UsageError for a word that is not known, listing those
/// that are.
std::string expand_pattern(std::string_view pattern, const NameFacts& facts);

/// True where the text has [words] as patterns have them.
bool is_pattern(std::string_view text);

class OutputNames {
 public:
  /// `output`: what -o said, or empty; `pictures`: how many will be made. Throws UsageError for an
  /// ending that is no picture format or a pattern with unknown words, DeviceError where nothing
  /// can be written there. Makes the folders.
  OutputNames(std::string output, std::size_t pictures, const GenerateParams& params);

  /// The next file. A file named in full is replaced; every other name is one that is still free.
  fs::path next(const NameFacts& facts);

 private:
  enum class Kind { kDefault, kFile, kFolder, kPattern };
  fs::path free_name(const fs::path& wanted);

  Kind kind_ = Kind::kDefault;
  std::string output_;
  std::size_t pictures_ = 1;
  std::size_t next_number_ = 1;  // of a folder
  std::set<fs::path> given_;     // names handed out in this run
};

/// Proves that a file can be made in `folder` (by making and removing one). Throws DeviceError.
void check_writable(const fs::path& folder);

/// Throws UsageError unless the name ends in .png, .jpg, .jpeg or .webp.
void check_extension(const fs::path& file);

}  // namespace mezzo::cli
