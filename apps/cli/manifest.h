// manifest.jsonl of a batch: one JSON line per finished picture, written after its file. --resume
// reads it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "cli/batch_file.h"
#include "mezzotint/engine.h"

namespace mezzo::cli {

inline constexpr const char* kManifestName = "manifest.jsonl";

/// What a line asks for, as text: lines are compared by it.
std::string asked(const BatchLine& line);

class Manifest {
 public:
  /// Opens folder/manifest.jsonl to append to. With `resume`, first reads which pictures are there
  /// already; without, the lines of an earlier run stay as they are. A half line at the end (a
  /// crash) is closed off. Throws DeviceError.
  Manifest(std::filesystem::path folder, bool resume);

  /// True when every picture of the line was finished before, and its files still exist.
  bool is_done(const BatchLine& line) const;
  /// Appends and flushes the entry of the line's picture `index`, from 0. Throws DeviceError.
  void add(const BatchLine& line, std::int64_t index, const Picture& picture,
           const std::string& file);

 private:
  void read();

  std::filesystem::path folder_;
  std::set<std::string> done_;  // keys of finished pictures
  std::ofstream out_;
};

}  // namespace mezzo::cli
