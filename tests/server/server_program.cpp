#include "server_program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "support/goldens.h"

extern char** environ;

namespace mezzo::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::string read(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return std::move(text).str();
}

template <class Done>
bool wait_until(Done done, std::chrono::seconds longest) {
  const auto end = std::chrono::steady_clock::now() + longest;
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

}  // namespace

ServerProgram::ServerProgram(const std::string& name, std::vector<std::string> flags)
    : folder_(scratch_dir("server-" + name)),
      outputs_(folder_ / "outputs"),
      flags_(std::move(flags)) {
  start();
}

ServerProgram::~ServerProgram() {
  if (pid_ > 0) end(SIGKILL);
  std::error_code error;
  fs::remove_all(folder_, error);
}

std::string program_path() { return MEZZO_PROGRAM; }

std::string ServerProgram::errors() const { return read(folder_ / "err"); }

void ServerProgram::start() {
  std::vector<std::string> command = {program_path(), "serve", "--port",        "0",
                                      "--threads",    "1",     "--outputs-dir", outputs_.string()};
  command.insert(command.end(), flags_.begin(), flags_.end());
  std::vector<char*> arguments;
  for (std::string& c : command) arguments.push_back(c.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, (folder_ / "out").c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::posix_spawn_file_actions_addopen(&actions, 2, (folder_ / "err").c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::setenv("HF_HUB_CACHE", (folder_ / "hub").c_str(), 1);
  const int error =
      ::posix_spawn(&pid_, program_path().c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start the server");
  std::string out;
  bool ended = false;
  wait_until(
      [&] {
        out = read(folder_ / "out");
        ended = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
        return ended || out.find('\n') != out.npos;
      },
      30s);
  if (ended) pid_ = -1;
  if (ended || out.find('\n') == out.npos)
    throw std::runtime_error("the server does not listen: " + errors());
  port_ = std::stoi(out.substr(out.rfind(':') + 1));
}

int ServerProgram::end(int signal) {
  ::kill(pid_, signal);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

pid_t ServerProgram::find_worker() const {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != name.npos) continue;
    const std::string line = read(entry.path() / "stat");
    const auto end = line.rfind(") ");
    if (end == line.npos || line.find("(mezzo-draw)") == line.npos) continue;
    std::istringstream rest(line.substr(end + 2));
    char state = 0;
    pid_t parent = 0;
    rest >> state >> parent;
    if (parent == pid_ && state != 'Z') return std::stoi(name);
  }
  return 0;
}

pid_t ServerProgram::worker() const {
  pid_t found = 0;
  wait_until([&] { return (found = find_worker()) > 0; }, 30s);
  if (found <= 0) throw std::runtime_error("there is no worker: " + errors());
  return found;
}

std::string ServerProgram::submit(const Json& request) const {
  const Answer answer = client().post("/api/v1/jobs", request);
  if (answer.status != 202) throw std::runtime_error("not accepted: " + answer.body);
  return answer.json().at("id");
}

Json ServerProgram::job(const std::string& id) const {
  return client().get("/api/v1/jobs/" + id).json();
}

Json ServerProgram::wait_for(const std::string& id, const std::vector<std::string>& states) const {
  Json now;
  wait_until(
      [&] {
        now = job(id);
        return std::find(states.begin(), states.end(), now.value("state", "")) != states.end();
      },
      60s);
  return now;
}

Json ServerProgram::wait_for_step(const std::string& id, int step) const {
  Json now;
  wait_until(
      [&] {
        now = job(id);
        return now["progress"].is_object() && now["progress"]["phase"] == "denoise" &&
               now["progress"]["step"] >= step;
      },
      60s);
  return now;
}

}  // namespace mezzo::test
