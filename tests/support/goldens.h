// Where recorded reference outputs are found.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mezzo::test {

namespace fs = std::filesystem;

/// Every existing copy of goldens/<relative>: under tests/golden, under ../shared/goldens (skipped
/// where tests/golden has that path too), and under each folder of the environment variable
/// MEZZO_GOLDENS (colon separated).
std::vector<fs::path> golden_paths(const std::string& relative);

/// A file or folder of ../shared (default-model, real ...); empty when ../shared is absent.
fs::path shared_path(const std::string& relative);

/// The checkout.
fs::path source_dir();

/// A fresh empty folder for this process and name, below the test's working directory.
fs::path scratch_dir(const std::string& name);

}  // namespace mezzo::test
