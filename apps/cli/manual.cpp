// mezzo manual: the manual page mezzo(1) as troff (man macros), made from the parser.
#include <array>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command_tree.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/settings.h"
#include "mezzotint/files.h"

namespace mezzo::cli {
namespace {

constexpr const char* kDescription =
    ".SH DESCRIPTION\n"
    "Mezzotint draws pictures with Stable Diffusion models on the processors of this machine, "
    "without a network. A small model ships with it; others are named with\n"
    ".BR \\-m :\n"
    "diffusers folders, safetensors, .ckpt and GGUF files. What a file is, is read from its "
    "content, and nothing in it is ever executed.\n";

constexpr const char* kFiles =
    ".SH FILES\n"
    ".TP\n.I ~/.config/mezzotint/config.toml\n"
    "Defaults of flags, as TOML: lines such as\n.B steps = 30\n"
    "for every command that has the flag; those below a line such as\n.B [generate]\n"
    "for one command. The command line wins over variables, and these over the file.\n";

struct ExitRow {
  ExitCode code;
  const char* meaning;
};
constexpr std::array kExitRows = {
    ExitRow{kDone, "Done."},
    ExitRow{kFailed, "Failed: the disk or the system refused, or a line of a batch failed."},
    ExitRow{kUsage, "A flag, value, picture or batch file cannot be used."},
    ExitRow{kModelUnreadable, "The model cannot be found or read."},
    ExitRow{kNotEnoughMemory, "Not enough memory, or more than \\-\\-max\\-ram."},
    ExitRow{kInterrupted, "Interrupted."},
};

/// Text as troff takes it: hyphens that can be copied, and no line that looks like a request.
std::string troff(const std::string& text) {
  std::string out;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '-')
      out += "\\-";
    else if (c == '\\')
      out += "\\e";
    else if (c == '\'')
      out += "\\(aq";
    else if (c == '~')
      out += "\\(ti";
    else
      out += c;
    begins = c == '\n';
  }
  return out;
}

std::string bold(const std::string& text) { return "\\fB" + troff(text) + "\\fR"; }
std::string italic(const std::string& text) { return "\\fI" + troff(text) + "\\fR"; }

std::string flag_paragraph(const FlagInfo& flag) {
  std::string names;
  for (const std::string& name : flag.names) names += (names.empty() ? "" : ", ") + bold(name);
  const std::string value = flag.value.empty() ? "" : italic(flag.value);
  return fmt::format(".TP\n{}{}{}\n{}\n", names, names.empty() || value.empty() ? "" : " ", value,
                     troff(flag.help));
}

/// Flags that every command has; they are explained once.
bool is_common(const FlagInfo& flag) {
  return flag.names.back() == "--help" || flag.names.back() == "--settings";
}

/// "mezzo generate [OPTIONS] PROMPT..."
std::string usage(const CommandInfo& command) {
  std::string text = bold("mezzo " + command.name) + " [" + italic("OPTIONS") + "]";
  for (const FlagInfo& argument : command.arguments)
    text += " " + italic(argument.value) + (argument.repeats ? "..." : "");
  return text;
}

std::string command_section(const CommandInfo& command) {
  std::string text = fmt::format(".SS {}\n{}.\n.PP\n{}\n", bold("mezzo " + command.name),
                                 troff(command.summary), usage(command));
  for (const FlagInfo& argument : command.arguments) text += flag_paragraph(argument);
  for (const FlagInfo& flag : command.flags)
    if (!is_common(flag)) text += flag_paragraph(flag);
  if (!command.footer.empty()) text += fmt::format(".PP\n.nf\n{}\n.fi\n", troff(command.footer));
  return text;
}

std::string environment() {
  return fmt::format(
      ".SH ENVIRONMENT\nEvery flag can be set by a variable: MEZZO_ and its name in capitals, with "
      "_ for \\-. {} is {}.\n.TP\n.B {}\nThe folders of {}.\n.TP\n.B MEZZO_SETTINGS\nThe file of "
      "{}.\n",
      bold(environment_name("max-ram") + "=6G"), bold("--max-ram 6G"),
      environment_name("models-dir"), bold("--models-dir"), bold("--settings"));
}

std::string page(const ProgramInfo& info) {
  std::string text = fmt::format(
      ".\\\" Made by: mezzo manual\n.TH MEZZO 1 \"\" \"{}\" \"User Commands\"\n.SH NAME\nmezzo \\- "
      "pictures from text with Stable Diffusion\n.SH SYNOPSIS\n",
      version());
  for (const CommandInfo& command : info.commands) text += usage(command) + "\n.br\n";
  text += kDescription;
  text += ".SH OPTIONS\n";
  for (const FlagInfo& flag : info.program.flags) text += flag_paragraph(flag);
  for (const FlagInfo& flag : info.commands.front().flags)
    if (flag.names.back() == "--settings") text += flag_paragraph(flag);
  text += ".SH COMMANDS\n";
  for (const CommandInfo& command : info.commands) text += command_section(command);
  text += ".SH EXIT STATUS\n";
  for (const ExitRow& row : kExitRows)
    text += fmt::format(".TP\n.B {}\n{}\n", static_cast<int>(row.code), row.meaning);
  return text + environment() + kFiles;
}

}  // namespace

void add_manual(CLI::App& app, Session& session) {
  app.footer(
      "Example:\n"
      "  mezzo manual > mezzo.1 && man ./mezzo.1");
  app.callback([&app, &session] {
    session.command = [&app] {
      print(page(describe_program(*app.get_parent())));
      return kDone;
    };
  });
}

}  // namespace mezzo::cli
