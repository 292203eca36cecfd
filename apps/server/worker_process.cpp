#include "server/worker_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include <fmt/format.h>

#include "mezzotint/errors.h"

extern char** environ;

namespace mezzo::server {
namespace {

constexpr int kWorkerFd = 3;

/// posix_spawn's lists, freed on every way out.
struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
};

std::string explain_signal(int signal) {
  if (signal == SIGKILL)
    return "the worker was killed (signal 9), most likely because the machine ran out of memory; "
           "choose a smaller picture, or start the server with a smaller --max-ram or with "
           "--weights f16";
  if (signal == SIGXCPU || signal == SIGTERM)
    return fmt::format("the worker was ended from outside (signal {})", signal);
  return fmt::format(
      "the worker crashed ({}); the model file may be damaged (see mezzo info), or this is a "
      "defect of ours: please report it with the request",
      ::strsignal(signal));
}

}  // namespace

WorkerProcess::WorkerProcess(const Json& settings) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw DeviceError(fmt::format("cannot make a socket for the worker: {}", std::strerror(errno)));
  SpawnPlan plan;
  if (ends[1] == kWorkerFd)  // dup2 onto itself would keep close-on-exec
    ::fcntl(ends[1], F_SETFD, 0);
  else
    ::posix_spawn_file_actions_adddup2(&plan.actions, ends[1], kWorkerFd);
  // Out of the terminal's group: Ctrl-C is for the supervisor, which lets the worker finish.
  ::posix_spawnattr_setpgroup(&plan.attributes, 0);
  ::posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETPGROUP);
  std::string program = "mezzo", command = "worker", flag = "--fd", fd = std::to_string(kWorkerFd);
  std::array<char*, 5> arguments = {program.data(), command.data(), flag.data(), fd.data(),
                                    nullptr};
  const int error = ::posix_spawn(&pid_, "/proc/self/exe", &plan.actions, &plan.attributes,
                                  arguments.data(), environ);
  ::close(ends[1]);
  fd_ = ends[0];
  if (error != 0) {
    ::close(fd_);
    throw DeviceError(fmt::format("cannot start the worker: {}", std::strerror(error)));
  }
  try {
    send(settings);
  } catch (const DeviceError&) {  // it died at once: receive() tells
  }
}

WorkerProcess::~WorkerProcess() {
  ::close(fd_);  // it ends by itself when it sees this
  if (reaped_) return;
  for (int k = 0; k < 50; ++k) {
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill();
  ::waitpid(pid_, nullptr, 0);
}

void WorkerProcess::send(const Json& head, std::string_view body) {
  const std::scoped_lock lock(sending_);
  send_frame(fd_, head, body);
}

Received WorkerProcess::receive(Frame& frame, std::chrono::milliseconds wait) {
  return receive_frame(fd_, frame, wait);
}

void WorkerProcess::kill() {
  if (!reaped_) ::kill(pid_, SIGKILL);
}

std::string WorkerProcess::cause_of_death() {
  int status = 0;
  pid_t ended = 0;
  // The socket closes a little before the process can be waited for; a live one is ended.
  for (int k = 0; k < 200 && ended == 0; ++k) {
    ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  if (ended == 0) {
    kill();
    ::waitpid(pid_, &status, 0);
    reaped_ = true;
    return "the worker did not answer any more and was ended";
  }
  reaped_ = true;
  if (WIFSIGNALED(status)) return explain_signal(WTERMSIG(status));
  return fmt::format("the worker ended by itself (exit code {}); its last message is in the log",
                     WEXITSTATUS(status));
}

}  // namespace mezzo::server
