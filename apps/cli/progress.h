// Shows where a run is: a bar on a terminal, plain lines in a log, or JSON lines for programs.
// Everything goes to stderr.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "mezzotint/engine.h"

namespace mezzo::cli {

enum class ProgressMode { kAuto, kBar, kPlain, kJson, kNone };

/// auto, bar, plain, json or none. Throws UsageError.
ProgressMode progress_mode(std::string_view name);

/// The line of the bar, at most `columns` characters wide: text, bar, steps, rate, time left.
std::string format_bar(const Progress& progress, int columns, bool utf8);
/// One line for a log, without a newline.
std::string format_plain(const Progress& progress);
/// One JSON object on one line, without a newline.
std::string format_json(const Progress& progress);
/// "0:07", "12:03", "1:02:03"
std::string format_time(double seconds);

class ProgressPrinter {
 public:
  /// kAuto becomes a bar where `out` is a terminal, and plain lines elsewhere.
  explicit ProgressPrinter(ProgressMode mode, std::FILE* out = stderr);
  ~ProgressPrinter() { clear(); }
  ProgressPrinter(const ProgressPrinter&) = delete;
  ProgressPrinter& operator=(const ProgressPrinter&) = delete;

  void operator()(const Progress& progress);
  /// Takes the bar off the screen, so that another line can be written.
  void clear();

 private:
  bool is_due(const Progress& progress);
  int columns() const;

  ProgressMode mode_;
  std::FILE* out_;
  bool utf8_ = false;
  bool shown_ = false;  // a bar is on the screen
  std::string last_;    // phase and tenth of the last plain line
  std::chrono::steady_clock::time_point drawn_{};
};

}  // namespace mezzo::cli
