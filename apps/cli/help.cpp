#include "cli/help.h"

#include "cli/text.h"

namespace mezzo::cli {
namespace {

constexpr std::size_t kFlagColumns = 30;
constexpr std::size_t kTextColumns = 68;

}  // namespace

HelpFormatter::HelpFormatter() { column_width(kFlagColumns); }

std::string HelpFormatter::make_option_name(const CLI::Option* option, bool positional) const {
  constexpr std::string_view kFalse = "{false}";  // CLI11's mark of a flag that switches off
  std::string name = CLI::Formatter::make_option_name(option, positional);
  if (const auto at = name.find(kFalse); at != name.npos) name.erase(at, kFalse.size());
  return name;
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  const std::string type = option->get_type_size() == 0 ? "" : option->get_type_name();
  // A range check adds itself to the name: "N:INT in [1 - 100]".
  return type.empty() ? "" : " " + type.substr(0, type.find(':'));
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  return wrap(option->get_description(), kTextColumns, "");  // CLI11 indents the lines
}

}  // namespace mezzo::cli
