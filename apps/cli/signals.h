// Ctrl-C: the first one asks the work to stop, which keeps every finished picture; the second ends
// the program at once.
#pragma once

#include <csignal>
#include <filesystem>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace mezzo::cli {

/// Takes SIGINT and SIGTERM away from every thread that is started later and waits for them in a
/// thread of its own. Made first in main(), before any other thread exists.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  std::stop_token token() const { return stop_.get_token(); }
  /// A folder that is written to: temporary files of this process in it are removed when the
  /// program ends at once.
  void watch_folder(const std::filesystem::path& folder);

 private:
  void wait();
  void remove_temporary_files();

  std::stop_source stop_;
  sigset_t set_{};
  std::mutex mutex_;  // of folders_
  std::vector<std::filesystem::path> folders_;
  std::jthread thread_;
};

}  // namespace mezzo::cli
