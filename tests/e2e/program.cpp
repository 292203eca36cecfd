#include "e2e/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "support/goldens.h"

namespace mezzo::test {
namespace {

std::string read(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return std::move(text).str();
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& t : texts) list.push_back(t.data());
  list.push_back(nullptr);
  return list;
}

}  // namespace

Program::Program(const std::string& name)
    : folder_(scratch_dir("e2e-" + name)), files_(scratch_dir("e2e-" + name + "-files")) {
  write_stdin("");
}

Program::~Program() {
  std::error_code error;
  fs::remove_all(folder_, error);
  fs::remove_all(files_, error);
}

void Program::write_stdin(const std::string& text) const {
  std::ofstream(files_ / "in", std::ios::binary) << text;
}

fs::path Program::write(const std::string& name, std::string_view text) const {
  const fs::path file = folder_ / name;
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

int Program::start(std::vector<std::string> command) const {
  std::vector<std::string> environment = {
      "PATH=" + fs::path(MEZZO_PROGRAM).parent_path().string() + ":/usr/local/bin:/usr/bin:/bin",
      "HOME=" + files_.string(),
      "HF_HUB_CACHE=" + (files_ / "hub").string(),
      "LC_ALL=C.UTF-8",
      "MEZZO_THREADS=1",  // tests run beside each other
  };
  for (const std::string name : {"OMP_THREAD_LIMIT", "TSAN_OPTIONS", "ASAN_OPTIONS"})
    if (const char* value = std::getenv(name.c_str())) environment.push_back(name + "=" + value);
  for (const auto& [name, value] : variables_) environment.push_back(name + "=" + value);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addchdir_np(&actions, folder_.c_str());
  ::posix_spawn_file_actions_addopen(&actions, 0, (files_ / "in").c_str(), O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, (files_ / "out").c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::posix_spawn_file_actions_addopen(&actions, 2, (files_ / "err").c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
  // A test that runs in the background may ignore Ctrl-C; the program shall not inherit that.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t defaults;
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGINT);
  ::sigaddset(&defaults, SIGTERM);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

  std::vector<char*> arguments = pointers(command), variables = pointers(environment);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, command.front().c_str(), &actions, &attributes,
                                  arguments.data(), variables.data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + command.front());
  return pid;
}

Result Program::finish(int pid) const {
  int status = 0;
  rusage usage{};
  while (::wait4(pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = read(files_ / "out"),
          .err = read(files_ / "err"),
          .peak_rss = static_cast<std::uint64_t>(usage.ru_maxrss) << 10};
}

Result Program::run(const std::vector<std::string>& arguments, const std::string& input) const {
  std::vector<std::string> command = {MEZZO_PROGRAM};
  command.insert(command.end(), arguments.begin(), arguments.end());
  write_stdin(input);
  return finish(start(std::move(command)));
}

Result Program::shell(const std::string& script) const {
  write_stdin("");
  return finish(start({"/bin/sh", "-c", script}));
}

Result Program::interrupt(const std::vector<std::string>& arguments, int signal,
                          const std::function<bool(const std::string&)>& when) const {
  std::vector<std::string> command = {MEZZO_PROGRAM};
  command.insert(command.end(), arguments.begin(), arguments.end());
  write_stdin("");
  const int pid = start(std::move(command));
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (!when(read(files_ / "err")) && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    siginfo_t info{};
    // Ended by itself: there is nothing left to interrupt, and finish() tells.
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == pid)
      return finish(pid);
  }
  ::kill(pid, signal);
  return finish(pid);
}

fs::path small_model() {
  if (const fs::path shipped = source_dir() / "models" / "icons.gguf"; fs::exists(shipped))
    return shipped;
  return shared_path("default-model");
}

}  // namespace mezzo::test
