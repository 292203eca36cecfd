// The one place where errors become exit codes and messages (docs/cli.md lists them).
#pragma once

#include <exception>
#include <string>

namespace mezzo::cli {

enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kModelUnreadable = 3,
  kNotEnoughMemory = 4,
  kInterrupted = 130,
};

struct Failure {
  ExitCode code = kFailed;
  std::string kind;     // usage, load, memory, cancelled, device, internal
  std::string message;  // one line: what, why, what to do
};

/// What to report for a caught exception.
Failure describe(const std::exception_ptr& error);

/// {"error": {"kind": ..., "message": ...}}
std::string to_json(const Failure& failure);

}  // namespace mezzo::cli
