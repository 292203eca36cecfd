// The program mezzo: finds the command, reads its flags, runs it, and turns errors into messages
// and exit codes.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/settings.h"
#include "cli/text.h"
#include "mezzotint/files.h"

namespace mezzo::cli {
namespace {

constexpr const char* kWelcome =
    "Mezzotint makes pictures from text with Stable Diffusion, on this machine.\n\n"
    "  mezzo generate \"a red apple\"     draws your first picture\n"
    "  mezzo models                     tells what the model can draw\n"
    "  mezzo --help                     lists every command\n";

void build(CLI::App& app, Session& session) {
  app.name("mezzo");
  app.formatter(std::make_shared<HelpFormatter>());  // the commands take it over
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", version(), "Print the version.");
  app.set_help_flag("-h,--help", "Print this help.");
  app.footer(
      "mezzo COMMAND --help explains a command. Every flag can also be set by a variable "
      "MEZZO_FLAG or in\n"
      "~/.config/mezzotint/config.toml.\n\n"
      "Example:\n  mezzo generate \"a red apple\" -o apple.png");
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    command.add(*sub, session);
    // Read before the others (settings.h); named here for the help.
    sub->add_option("--settings",
                    "A file with defaults for flags. Default: ~/.config/mezzotint/config.toml.")
        ->type_name("FILE");
  }
}

/// The command that the arguments name, or null: its settings are needed before parsing.
CLI::App* chosen_command(CLI::App& app, const std::vector<std::string>& arguments) {
  const auto it = std::find_if(arguments.begin(), arguments.end(),
                               [](const auto& a) { return !a.starts_with("-"); });
  if (it == arguments.end()) return nullptr;
  const bool known = std::any_of(kCommands.begin(), kCommands.end(),
                                 [&](const Command& c) { return c.name == *it; });
  return known ? app.get_subcommand(*it) : nullptr;
}

std::vector<std::string> names_for(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  if (word.starts_with("-")) {
    for (const CLI::Option* option : app.get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  } else {
    for (const Command& command : kCommands) names.emplace_back(command.name);
  }
  return names;
}

/// What CLI11 says about the command line, in our form.
UsageError usage_error(const CLI::App& app, const CLI::App* chosen,
                       const std::vector<std::string>& arguments, const CLI::ParseError& error) {
  const CLI::App& parsed = chosen != nullptr ? *chosen : app;
  const std::string help =
      chosen != nullptr ? fmt::format("mezzo {} --help", chosen->get_name()) : "mezzo --help";
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    const std::vector<std::string> extra = parsed.remaining();  // in no certain order
    const auto first = std::find_if(arguments.begin(), arguments.end(), [&](const std::string& a) {
      return std::find(extra.begin(), extra.end(), a) != extra.end();
    });
    if (first != arguments.end()) {
      const std::string word = first->substr(0, first->find('='));
      const std::string near = nearest(word, names_for(parsed, word));
      return UsageError(fmt::format("{}: there is no such {}; {}see {}", word,
                                    word.starts_with("-") ? "flag"
                                    : chosen == nullptr   ? "command"
                                                          : "argument",
                                    near.empty() ? "" : fmt::format("did you mean {}? Or ", near),
                                    help));
    }
  }
  return UsageError(fmt::format("{}; see {}", error.what(), help));
}

int report(const Failure& failure, bool json) {
  const std::string text =
      json ? to_json(failure) + "\n" : fmt::format("mezzo: {}\n", failure.message);
  std::fputs(text.c_str(), json ? stdout : stderr);
  return failure.code;
}

int run(const std::vector<std::string>& arguments, Session& session) {
  CLI::App app("Pictures from text with Stable Diffusion.");
  build(app, session);
  if (arguments.empty()) {
    print(kWelcome);
    return kDone;
  }
  CLI::App* chosen = chosen_command(app, arguments);
  if (chosen != nullptr) apply_settings(app, *chosen, settings_file(arguments));
  try {
    std::vector<std::string> reversed = protect_brackets(arguments);
    std::reverse(reversed.begin(), reversed.end());  // as CLI11 wants them
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    print(app.help());
    return kDone;
  } catch (const CLI::CallForVersion&) {
    print(version() + "\n");
    return kDone;
  } catch (const CLI::ParseError& e) {
    throw usage_error(app, chosen, arguments, e);
  }
  if (!session.command) throw UsageError("no command was given; see mezzo --help");
  return session.command();
}

/// How many turns OpenMP's waiting loop (a load and, on x86, a pause of 10 to 140 cycles) makes in
/// the time after which a waiting thread should sleep.
int waiting_turns() {
  using Clock = std::chrono::steady_clock;
  constexpr int kTurns = 200, kTrials = 3, kFewest = 1000, kMost = 100'000;
  constexpr std::chrono::duration<double> kWait = std::chrono::microseconds(50);
  const std::atomic<int> value = 0;
  Clock::duration least = std::chrono::seconds(1);
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto begin = Clock::now();
    for (int i = 0; i < kTurns && value == 0; ++i) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    least = std::min(least, Clock::now() - begin);
  }
  return static_cast<int>(std::clamp<double>(kTurns * (kWait / least), kFewest, kMost));
}

/// Threads that wait for each other give the processor away soon: with the library's usual long
/// spinning a picture takes ten times as long on a machine that does something else too. OpenMP
/// reads this when it is loaded, before main(), so the program begins anew with it.
void wait_politely(char** argv) {
  constexpr const char* kSpins = "GOMP_SPINCOUNT";
  if (std::getenv(kSpins) || std::getenv("OMP_WAIT_POLICY")) return;
  ::setenv(kSpins, std::to_string(waiting_turns()).c_str(), 0);
  ::execv("/proc/self/exe", argv);  // where that is refused, it goes on as it is
}

}  // namespace
}  // namespace mezzo::cli

int main(int argc, char** argv) {
  using namespace mezzo::cli;
  wait_politely(argv);
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  Signals signals;
  Session session{.signals = signals, .printer = {}, .command = {}};
  // Errors of the command line itself come before --json has been read.
  const bool json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
  try {
    return run(arguments, session);
  } catch (...) {
    if (session.printer) session.printer->clear();
    return report(describe(std::current_exception()), json || session.json);
  }
}
