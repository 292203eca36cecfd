// What commands are put together from: flags, arguments, examples. The parser behind them, CLI11,
// is a large header that only the files need which ask the parser itself (options, settings, help).
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace mezzo::cli {

/// A flag or argument just added, and what more is to be said of it.
class Flag {
 public:
  explicit Flag(CLI::Option* option) : option_(option) {}
  Flag& type_name(const char* name);  // what the help calls its value: FILE
  Flag& required();
  Flag& group(const char* title);  // the heading it stands below in the help

 private:
  CLI::Option* option_;
};

/// Text after a prompt or file name as it was typed (see protect_brackets).
Flag add_text(CLI::App& app, const std::string& names, std::string& target,
              const std::string& help);
struct Range {
  int least, most;
};
Flag add_number(CLI::App& app, const std::string& names, int& target, const std::string& help,
                Range range);
Flag add_switch(CLI::App& app, const std::string& names, bool& target, const std::string& help);

/// What follows the flags in the help: examples.
void set_footer(CLI::App& app, const std::string& text);
/// Keeps the command out of the help.
void hide(CLI::App& app);
/// What happens when the command line was read and names this command.
void when_chosen(CLI::App& app, std::function<void()> action);

}  // namespace mezzo::cli
