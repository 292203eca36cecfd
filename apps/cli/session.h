// What every command shares: how to print, how to stop, and what to run once the command line has
// been read.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/progress.h"
#include "cli/signals.h"
#include "mezzotint/engine.h"

namespace mezzo::cli {

struct Session {
  Signals& signals;
  bool json = false;
  bool quiet = false;
  std::string progress = "auto";
  std::optional<ProgressPrinter> printer;  // once the work has begun
  std::function<int()> command;            // the chosen command; returns an exit code

  /// Starts to show progress and the library's warnings: options for the work. Throws UsageError
  /// (--progress).
  RunOptions begin();
  /// A line for people on stderr, "mezzo: ..."; nothing with --quiet.
  void note(std::string_view text);
};

/// Writes to stdout. Throws DeviceError where that fails (a full disk, a closed pipe).
void print(const std::string& text);

}  // namespace mezzo::cli
