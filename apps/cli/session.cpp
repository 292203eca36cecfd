#include "cli/session.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fmt/format.h>

#include "mezzotint/files.h"

namespace mezzo::cli {

RunOptions Session::begin() {
  printer.emplace(quiet ? ProgressMode::kNone : progress_mode(progress));
  on_warning([this](std::string_view text) { note(text); });
  RunOptions run;
  run.stop = signals.token();
  run.progress = [this](const Progress& p) { (*printer)(p); };
  return run;
}

void Session::note(std::string_view text) {
  if (quiet) return;
  if (printer) printer->clear();
  std::fputs(fmt::format("mezzo: {}\n", text).c_str(), stderr);
}

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw DeviceError(
        fmt::format("cannot write the output: {}; check where it goes", std::strerror(errno)));
}

}  // namespace mezzo::cli
