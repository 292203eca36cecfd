// Runs the built program as a user does, in a folder and an environment of its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace mezzo::test {

namespace fs = std::filesystem;

struct Result {
  int code = -1;  // exit code, or 128 + the signal that ended it
  std::string out, err;
  std::uint64_t peak_rss = 0;  // bytes of the process and those it waited for
};

class Program {
 public:
  /// An empty folder below the test's; HOME and the caches point into it.
  explicit Program(const std::string& name);
  ~Program();

  const fs::path& folder() const { return folder_; }
  fs::path write(const std::string& name, std::string_view text) const;

  /// mezzo ARGUMENTS..., with `input` as stdin.
  Result run(const std::vector<std::string>& arguments, const std::string& input = "") const;
  /// sh -c SCRIPT, where `mezzo` is the program.
  Result shell(const std::string& script) const;
  /// The same as run(); calls `when` with what stderr says so far until it is true, then sends the
  /// signal.
  Result interrupt(const std::vector<std::string>& arguments, int signal,
                   const std::function<bool(const std::string&)>& when) const;

  void set(const std::string& name, const std::string& value) {
    variables_.emplace_back(name, value);
  }

 private:
  void write_stdin(const std::string& text) const;
  int start(std::vector<std::string> command) const;
  Result finish(int pid) const;

  fs::path folder_;  // the working folder
  fs::path files_;   // beside it: stdin, stdout, stderr
  std::vector<std::pair<std::string, std::string>> variables_;
};

/// The small model that ships with the project, or its diffusers folder; empty where neither is
/// there.
fs::path small_model();

}  // namespace mezzo::test
