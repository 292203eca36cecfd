// `mezzo serve` as users run it, on a free port and in a folder of its own.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "client.h"

namespace mezzo::test {

/// The states that a job ends in.
inline const std::vector<std::string> kOver = {"completed", "failed", "cancelled", "poisoned"};

/// Where the built `mezzo` is.
std::string program_path();

class ServerProgram {
 public:
  /// Starts it and waits until it listens.
  explicit ServerProgram(const std::string& name, std::vector<std::string> flags = {});
  ~ServerProgram();  // ends it, and removes its folder

  Client client() const { return Client(port_); }
  int port() const { return port_; }
  const std::filesystem::path& outputs() const { return outputs_; }
  std::string errors() const;  // its stderr so far

  /// SIGTERM or another signal, and its exit code (128 + signal where that ended it).
  int end(int signal);
  /// Again on the same folder.
  void start();
  /// The process that draws; waits for it.
  pid_t worker() const;

  /// Submits {"prompt": ...} and more; returns the job's id.
  std::string submit(const Json& request) const;
  Json job(const std::string& id) const;
  /// Waits until the job has one of these states (half a minute at most); returns it.
  Json wait_for(const std::string& id, const std::vector<std::string>& states) const;
  /// Waits until it is drawing, at this step or later.
  Json wait_for_step(const std::string& id, int step) const;

 private:
  pid_t find_worker() const;

  std::filesystem::path folder_, outputs_;
  std::vector<std::string> flags_;
  pid_t pid_ = -1;
  int port_ = 0;
};

}  // namespace mezzo::test
