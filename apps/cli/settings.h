// Defaults of flags from outside the command line: MEZZO_* variables, and a settings file below
// them.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace mezzo::cli {

/// "--models-dir" is set by MEZZO_MODELS, every other flag by MEZZO_ and its name: --clip-skip by
/// MEZZO_CLIP_SKIP.
std::string environment_name(const std::string& flag);

/// The file of --settings or MEZZO_SETTINGS, else mezzotint/config.toml in the user's configuration
/// folder; empty where there is none. Throws UsageError where the named file is not there.
std::string settings_file(const std::vector<std::string>& arguments);

/// Lets environment and file set the defaults of the chosen command's flags. The file is TOML: name
/// = value lines, those under [command] for that command alone. Throws UsageError for a name that
/// no command knows.
void apply_settings(CLI::App& app, CLI::App& chosen, const std::string& file);

}  // namespace mezzo::cli
