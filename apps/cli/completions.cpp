// mezzo completions: scripts that let a shell complete commands, flags and values. They are made
// from the parser, so they know what this very program knows.
#include <algorithm>
#include <array>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/text.h"

namespace mezzo::cli {
namespace {

/// 'text' for a shell; each quote inside is written in the shell's own way.
std::string quoted(const std::string& text, const std::string& quote) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? quote : std::string(1, c);
  return out + "'";
}

std::string names_of(const std::vector<FlagInfo>& flags) {
  std::vector<std::string> all;
  for (const FlagInfo& flag : flags) all.insert(all.end(), flag.names.begin(), flag.names.end());
  return join(all, " ");
}

std::string names_of(const std::vector<CommandInfo>& commands) {
  std::vector<std::string> all;
  for (const CommandInfo& command : commands) all.push_back(command.name);
  return join(all, " ");
}

// --- bash ---

constexpr const char* kBashBegin =
    R"(# Completion of mezzo for bash, made by: mezzo completions bash
_mezzo() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command="" flags="" words="" files="" i
  # --flag=value comes as three words.
  if [[ $cur == "=" ]]; then
    cur=""
  elif [[ $prev == "=" ]] && ((COMP_CWORD > 2)); then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    if [[ ${COMP_WORDS[i]} != -* ]]; then
      command=${COMP_WORDS[i]}
      break
    fi
  done
  case $command in
)";
constexpr const char* kBashEnd = R"(  esac
  if [[ $cur == -* && $flags ]]; then words=$flags files=""; fi
  COMPREPLY=()
  # Readline completes files itself where nothing else is found: it knows ~ and quotes.
  if [[ $files ]]; then
    compopt -o "$files"
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
  fi
}
complete -F _mezzo mezzo
)";

std::string bash_offer(const FlagInfo& flag) {
  switch (flag.offer) {
    case Offer::kWords:
      return fmt::format("words=\"{}\"", join(flag.words, " "));
    case Offer::kFiles:
      return "files=default";
    case Offer::kFolders:
      return "files=dirnames";
    case Offer::kNothing:
      return "";
  }
  return "";
}

std::string bash_command(const CommandInfo& command) {
  std::string text =
      fmt::format("    {})\n      flags=\"{}\"\n", command.name, names_of(command.flags));
  if (!command.arguments.empty())
    if (const std::string offer = bash_offer(command.arguments.front()); !offer.empty())
      text += fmt::format("      {}\n", offer);
  text += "      case $prev in\n";
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;  // names of the same offer
  for (const FlagInfo& flag : command.flags) {
    if (flag.value.empty()) continue;
    const std::string offer = bash_offer(flag);
    auto group =
        std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == offer; });
    if (group == groups.end()) group = groups.insert(group, {offer, {}});
    group->second.insert(group->second.end(), flag.names.begin(), flag.names.end());
  }
  for (const auto& [offer, names] : groups)
    text += fmt::format("        {}) flags=\"\" words=\"\" files=\"\" {} ;;\n", join(names, " | "),
                        offer);
  return text + "      esac\n      ;;\n";
}

std::string bash(const ProgramInfo& info) {
  std::string text = kBashBegin;
  text += fmt::format("    \"\") flags=\"{}\" words=\"{}\" ;;\n", names_of(info.program.flags),
                      names_of(info.commands));
  for (const CommandInfo& command : info.commands) text += bash_command(command);
  return text + kBashEnd;
}

// --- zsh ---

constexpr const char* kZshEnd = R"(    esac ;;
  esac
}
# Called as an autoloaded function, or read with source.
if [[ ${funcstack[1]} == _mezzo ]]; then
  _mezzo "$@"
else
  compdef _mezzo mezzo
fi
)";

/// Text inside of a specification of _arguments, where brackets and colons mean something.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_value(const FlagInfo& flag) {
  switch (flag.offer) {
    case Offer::kNothing:
    case Offer::kWords:
      return fmt::format(":{}:({})", flag.value, join(flag.words, " "));
    case Offer::kFiles:
      return fmt::format(":{}:_files", flag.value);
    case Offer::kFolders:
      return fmt::format(":{}:_files -/", flag.value);
  }
  return "";
}

/// The flag once for each of its names: '(-n --negative)-n[help]:TEXT: '.
std::string zsh_flag(const FlagInfo& flag) {
  std::string text;
  for (const std::string& name : flag.names) {
    const char* glue = flag.value.empty() ? "" : name.starts_with("--") ? "=" : "+";
    const std::string spec =
        fmt::format("({}){}{}[{}]{}", join(flag.names, " "), name, glue,
                    zsh_text(flag.first_sentence()), flag.value.empty() ? "" : zsh_value(flag));
    text += fmt::format(" \\\n        {}", quoted(spec, R"('\'')"));
  }
  return text;
}

std::string zsh(const ProgramInfo& info) {
  std::string text =
      "#compdef mezzo\n# Completion of mezzo for zsh, made by: mezzo completions zsh\n_mezzo() {\n"
      "  local context state state_descr line\n  typeset -A opt_args\n  _arguments -C";
  for (const FlagInfo& flag : info.program.flags) text += zsh_flag(flag);
  text += " \\\n        '1:command:->command' '*::argument:->argument'\n";
  text += "  case $state in\n  command)\n    local -a commands=(\n";
  for (const CommandInfo& c : info.commands)
    text += fmt::format("      {}\n", quoted(c.name + ":" + zsh_text(c.summary), R"('\'')"));
  text += "    )\n    _describe command commands ;;\n  argument)\n    case ${words[1]} in\n";
  for (const CommandInfo& command : info.commands) {
    text += fmt::format("    {})\n      _arguments -S", command.name);
    for (const FlagInfo& flag : command.flags) text += zsh_flag(flag);
    for (const FlagInfo& argument : command.arguments)
      text += fmt::format(" \\\n        {}",
                          quoted((argument.repeats ? "*" : "") + zsh_value(argument), R"('\'')"));
    text += " ;;\n";
  }
  return text + kZshEnd;
}

// --- fish ---

std::string fish_offer(const FlagInfo& flag) {
  switch (flag.offer) {
    case Offer::kWords:
      return fmt::format(" -x -a {}", quoted(join(flag.words, " "), "\\'"));
    case Offer::kFiles:
      return " -r -F";
    case Offer::kFolders:
      return " -x -a '(__fish_complete_directories)'";
    case Offer::kNothing:
      return flag.value.empty() ? "" : " -x";
  }
  return "";
}

std::string fish_flag(const std::string& when, const FlagInfo& flag) {
  std::string text = "complete -c mezzo -n " + when;
  for (const std::string& name : flag.names)
    text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  return text + fish_offer(flag) + " -d " + quoted(flag.first_sentence(), "\\'") + "\n";
}

std::string fish(const ProgramInfo& info) {
  std::string text =
      "# Completion of mezzo for fish, made by: mezzo completions fish\n"
      "complete -c mezzo -f\n";
  for (const FlagInfo& flag : info.program.flags) text += fish_flag("__fish_use_subcommand", flag);
  for (const CommandInfo& command : info.commands) {
    text += fmt::format("complete -c mezzo -n __fish_use_subcommand -a {} -d {}\n", command.name,
                        quoted(command.summary, "\\'"));
    const std::string when = fmt::format("'__fish_seen_subcommand_from {}'", command.name);
    for (const FlagInfo& flag : command.flags) text += fish_flag(when, flag);
    for (const FlagInfo& argument : command.arguments)
      if (argument.offer != Offer::kNothing)
        text += fmt::format("complete -c mezzo -n {}{}\n", when, fish_offer(argument));
  }
  return text;
}

struct Shell {
  const char* name;
  std::string (*script)(const ProgramInfo&);
};
constexpr std::array kShells = {Shell{"bash", bash}, Shell{"zsh", zsh}, Shell{"fish", fish}};

}  // namespace

void add_completions(CLI::App& app, Session& session) {
  const auto name = std::make_shared<std::string>();
  std::vector<std::string> names;
  for (const Shell& shell : kShells) names.emplace_back(shell.name);
  app.add_option("shell", *name, "bash, zsh or fish.")
      ->required()
      ->type_name("SHELL")
      ->check(CLI::IsMember(names));
  app.footer(
      "Examples:\n"
      "  source <(mezzo completions bash)\n"
      "  mezzo completions fish > ~/.config/fish/completions/mezzo.fish");
  app.callback([&app, name, &session] {
    session.command = [&app, name] {
      const auto shell = std::find_if(kShells.begin(), kShells.end(),
                                      [&](const Shell& s) { return s.name == *name; });
      print(shell->script(describe_program(*app.get_parent())));
      return kDone;
    };
  });
}

}  // namespace mezzo::cli
