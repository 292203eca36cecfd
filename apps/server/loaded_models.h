// The models that stay in memory between requests: the last used ones, as many as the memory limit
// holds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <string>
#include <vector>

#include "mezzotint/engine.h"

namespace mezzo::server {

class LoadedModels {
 public:
  explicit LoadedModels(EngineOptions options);

  /// The model of this file, loaded where it is not yet; others make room, the longest unused
  /// first. A file that changed since is loaded again. Throws what Engine::open throws.
  Engine& get(const std::string& path, const GenerateParams& params, const RunOptions& run);
  /// All go: the last means when memory is short.
  void clear() { models_.clear(); }
  /// The last used one first.
  std::vector<std::string> paths() const;

 private:
  struct Loaded {
    std::string path;
    std::filesystem::file_time_type changed;
    std::uint64_t weights = 0;
    Engine engine;
  };
  void make_room(std::uint64_t peak);

  EngineOptions options_;
  std::uint64_t limit_;  // bytes of the whole process
  std::list<Loaded> models_;
};

}  // namespace mezzo::server
