#include "cli/settings.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/text.h"
#include "mezzotint/errors.h"

namespace mezzo::cli {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string dashed(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

bool has_flag(const CLI::App& command, const std::string& name) {
  return command.get_option_no_throw("--" + name) != nullptr;
}

/// The value of --settings, which is needed before the command line can be parsed.
std::string settings_argument(const std::vector<std::string>& arguments) {
  constexpr std::string_view kFlag = "--settings";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == kFlag && i + 1 < arguments.size()) return arguments[i + 1];
    if (arguments[i].starts_with(std::string(kFlag) + "="))
      return arguments[i].substr(kFlag.size() + 1);
  }
  return environment("MEZZO_SETTINGS");
}

void check_known(const CLI::App& app, const std::string& name, const std::string& file) {
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    for (const CLI::Option* option : command->get_options())
      for (const std::string& flag : option->get_lnames()) known.push_back(flag);
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  const std::string near = nearest(name, known);
  throw UsageError(fmt::format("{}: there is no setting {}{}", file, name,
                               near.empty() ? "; the names are those of the flags"
                                            : fmt::format("; did you mean {}?", near)));
}

std::vector<CLI::ConfigItem> read_items(const std::string& file) {
  try {
    return CLI::ConfigTOML().from_file(file);
  } catch (const CLI::Error& e) {
    throw UsageError(fmt::format(
        "{}: cannot be read as settings ({}); write lines such as steps = 30", file, e.what()));
  }
}

}  // namespace

std::string environment_name(const std::string& flag) {
  if (flag == "models-dir") return "MEZZO_MODELS";
  std::string name = "MEZZO_" + flag;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(c));
  });
  return name;
}

std::string settings_file(const std::vector<std::string>& arguments) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (const std::string named = settings_argument(arguments); !named.empty()) {
    if (!fs::is_regular_file(named, error))
      throw UsageError(fmt::format("{}: there is no such settings file; check --settings", named));
    return named;
  }
  fs::path folder = environment("XDG_CONFIG_HOME");
  if (folder.empty() && !environment("HOME").empty())
    folder = fs::path(environment("HOME")) / ".config";
  const fs::path file = folder / "mezzotint" / "config.toml";
  return !folder.empty() && fs::is_regular_file(file, error) ? file.string() : "";
}

void apply_settings(CLI::App& app, CLI::App& chosen, const std::string& file) {
  if (!file.empty())
    for (const CLI::ConfigItem& item : read_items(file)) {
      if (item.name == "++" || item.name == "--")
        continue;  // CLI11's marks of a section's begin and end
      const std::string name = dashed(item.name);
      check_known(app, name, file);
      const bool meant = item.parents.empty() || item.parents.front() == "default" ||
                         item.parents.front() == chosen.get_name();
      // A setting of the file is an environment variable that is not set yet: variables win, and
      // flags win over both.
      if (meant && has_flag(chosen, name))
        ::setenv(environment_name(name).c_str(), CLI::detail::join(item.inputs, ":").c_str(), 0);
    }
  for (CLI::Option* option : chosen.get_options())
    for (const std::string& flag : option->get_lnames())
      if (flag != "help" && flag != "settings") {
        option->envname(environment_name(flag));
        break;  // the first name counts
      }
}

}  // namespace mezzo::cli
