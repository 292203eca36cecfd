#include "support/goldens.h"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace mezzo::test {

fs::path source_dir() { return MEZZO_SOURCE_DIR; }

fs::path shared_path(const std::string& relative) {
  const fs::path p = source_dir().parent_path() / "shared" / relative;
  return fs::exists(p) ? p : fs::path();
}

std::vector<fs::path> golden_paths(const std::string& relative) {
  std::vector<fs::path> found;
  if (const fs::path p = source_dir() / "tests" / "golden" / relative; fs::exists(p))
    found.push_back(p);
  // A partial copy in the repository never hides the whole set beside it: files in both are the
  // same files.
  if (const fs::path p = shared_path("goldens/" + relative); !p.empty()) {
    if (fs::is_directory(p)) found.clear();
    if (found.empty()) found.push_back(p);
  }
  if (const char* extra = std::getenv("MEZZO_GOLDENS")) {
    std::istringstream list(extra);
    for (std::string root; std::getline(list, root, ':');)
      if (const fs::path p = fs::path(root) / relative; !root.empty() && fs::exists(p))
        found.push_back(p);
  }
  return found;
}

fs::path scratch_dir(const std::string& name) {
  const fs::path p = fs::current_path() / "scratch" / (name + "-" + std::to_string(::getpid()));
  fs::remove_all(p);
  fs::create_directories(p);
  return p;
}

}  // namespace mezzo::test
