#include "cli/flags.h"

#include <CLI/CLI.hpp>

#include "cli/options.h"

namespace mezzo::cli {

Flag& Flag::type_name(const char* name) {
  option_->type_name(name);
  return *this;
}

Flag& Flag::required() {
  option_->required();
  return *this;
}

Flag& Flag::group(const char* title) {
  option_->group(title);
  return *this;
}

Flag add_text(CLI::App& app, const std::string& names, std::string& target,
              const std::string& help) {
  const auto set = [&target](const std::string& text) { target = unprotected(text); };
  return Flag(app.add_option_function<std::string>(names, set, help)->type_name("TEXT"));
}

Flag add_number(CLI::App& app, const std::string& names, int& target, const std::string& help,
                Range range) {
  return Flag(app.add_option(names, target, help)
                  ->check(CLI::Range(range.least, range.most))
                  ->type_name("N"));
}

Flag add_switch(CLI::App& app, const std::string& names, bool& target, const std::string& help) {
  return Flag(app.add_flag(names, target, help));
}

void set_footer(CLI::App& app, const std::string& text) { app.footer(text); }

void hide(CLI::App& app) { app.group(""); }

void when_chosen(CLI::App& app, std::function<void()> action) { app.callback(std::move(action)); }

}  // namespace mezzo::cli
