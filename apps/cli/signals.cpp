#include "cli/signals.h"

#include <pthread.h>
#include <unistd.h>

#include <string>

#include <fmt/format.h>

#include "cli/exit_code.h"

namespace mezzo::cli {
namespace {

/// A shell that starts a job in the background, and nohup, ignore a signal on purpose.
bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

Signals::Signals() {
  // A file beyond the size limit is a failed write with a message, not the end of the process.
  ::signal(SIGXFSZ, SIG_IGN);
  ::sigemptyset(&set_);
  for (const int signal : {SIGINT, SIGTERM})
    if (!is_ignored(signal)) ::sigaddset(&set_, signal);
  ::sigaddset(&set_, SIGUSR1);  // sent by the destructor
  ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  thread_ = std::jthread([this] { wait(); });
}

Signals::~Signals() {
  ::pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

void Signals::watch_folder(const std::filesystem::path& folder) {
  const std::scoped_lock lock(mutex_);
  folders_.push_back(folder.empty() ? "." : folder);
}

void Signals::wait() {
  for (int signal = 0; ::sigwait(&set_, &signal) == 0;) {
    if (signal == SIGUSR1) return;
    if (stop_.request_stop()) continue;  // the first time
    remove_temporary_files();
    ::_exit(kInterrupted);
  }
}

void Signals::remove_temporary_files() {
  const std::scoped_lock lock(mutex_);
  const std::string mark =
      fmt::format(".{}-", ::getpid());  // base/file.h names them NAME.PID-COUNT.tmp
  std::error_code error;
  for (const auto& folder : folders_)
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(".tmp") && name.find(mark) != name.npos)
        std::filesystem::remove(entry.path(), error);
    }
}

}  // namespace mezzo::cli
