#include "cli/command_tree.h"

#include <algorithm>
#include <array>

#include "mezzotint/files.h"
#include "mezzotint/params.h"

namespace mezzo::cli {
namespace {

struct OfferRow {
  std::string_view value;  // the name of a value in the help
  Offer offer;
};
constexpr std::array kOffers = {
    OfferRow{"FILE", Offer::kFiles},     OfferRow{"IMAGE", Offer::kFiles},
    OfferRow{"IN", Offer::kFiles},       OfferRow{"OUT", Offer::kFiles},
    OfferRow{"MODEL", Offer::kFiles},    OfferRow{"DIR", Offer::kFolders},
    OfferRow{"FOLDER", Offer::kFolders},
};

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(at), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::vector<std::string> first_of(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::vector<std::string> names;
  for (const auto& pair : pairs) names.push_back(pair.first);
  return names;
}

/// The words that a check of the value allows; CLI11 keeps them as "NAME:{a,b}".
std::vector<std::string> checked_words(const std::string& type) {
  const auto open = type.find(":{"), close = type.find('}');
  if (open == type.npos || close == type.npos) return {};
  return split(std::string_view(type).substr(open + 2, close - open - 2), ',');
}

/// The values that the field table or the tables of samplers and schedules allow.
std::vector<std::string> field_words(const CLI::Option& option) {
  if (option.get_lnames().empty()) return {};
  std::string name = option.get_lnames().front();
  std::replace(name.begin(), name.end(), '-', '_');
  if (name == "sampler") return first_of(sampler_names());
  if (name == "schedule") return first_of(schedule_names());
  const Field* field = find_field(name);
  return field == nullptr ? std::vector<std::string>{} : split(field->choices, '|');
}

FlagInfo describe(const CLI::Option& option) {
  FlagInfo flag;
  for (const std::string& name : option.get_snames()) flag.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) flag.names.push_back("--" + name);
  flag.help = option.get_description();
  flag.repeats = option.get_items_expected_max() > 1;
  if (option.get_type_size() == 0) return flag;
  const std::string type = option.get_type_name();
  flag.value = type.substr(0, type.find(':'));  // a check of the range stands behind it
  flag.words = checked_words(type);
  if (flag.words.empty()) flag.words = field_words(option);
  const auto row = std::find_if(kOffers.begin(), kOffers.end(),
                                [&](const OfferRow& r) { return r.value == flag.value; });
  if (!flag.words.empty())
    flag.offer = Offer::kWords;
  else if (row != kOffers.end())
    flag.offer = row->offer;
  return flag;
}

CommandInfo describe(const CLI::App& app) {
  CommandInfo command{app.get_name(), app.get_description(), app.get_footer(), {}, {}};
  for (const CLI::Option* option : app.get_options())
    (option->get_positional() ? command.arguments : command.flags).push_back(describe(*option));
  return command;
}

}  // namespace

std::string FlagInfo::first_sentence() const {
  const auto end = help.find(". ");
  std::string text = help.substr(0, end);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

ProgramInfo describe_program(const CLI::App& root) {
  ProgramInfo info{describe(root), {}};
  for (const CLI::App* app : root.get_subcommands([](const CLI::App*) { return true; }))
    if (!app->get_group().empty()) info.commands.push_back(describe(*app));
  return info;
}

}  // namespace mezzo::cli
