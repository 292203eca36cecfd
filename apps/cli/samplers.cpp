// mezzo samplers: the names that --sampler and --schedule take.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/text.h"
#include "mezzotint/files.h"

namespace mezzo::cli {
namespace {

using Names = std::vector<std::pair<std::string, std::string>>;  // {name, display name}

std::string describe(const char* title, const Names& names) {
  std::size_t widest = 0;
  for (const auto& [name, display] : names) widest = std::max(widest, name.size());
  std::string text = fmt::format("{}\n", title);
  for (const auto& [name, display] : names)
    text += fmt::format("  {:<{}}  {}\n", name, widest, display);
  return text;
}

nlohmann::ordered_json to_json(const Names& names) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& [name, display] : names)
    list.push_back({{"name", name}, {"display_name", display}});
  return list;
}

/// What the table of schedules does not have: they stand for one of it.
Names all_schedules() {
  Names names = {{"model", "what the model's own configuration says (the default)"},
                 {"automatic", "what A1111 takes for the sampler"}};
  for (auto& row : schedule_names()) names.push_back(std::move(row));
  return names;
}

}  // namespace

void add_samplers(CLI::App& app, Session& session) {
  add_json_flag(app, session);
  set_footer(app,
             "Names are understood in any case, and as A1111 and diffusers have them.\n"
             "Examples:\n"
             "  mezzo samplers\n"
             "  mezzo generate \"a castle\" --sampler dpmpp_2m --schedule karras");
  when_chosen(app, [&session] {
    session.command = [&session] {
      print(session.json ? dump({{"samplers", to_json(sampler_names())},
                                 {"schedules", to_json(all_schedules())}})
                         : describe("samplers (--sampler NAME):", sampler_names()) + "\n" +
                               describe("schedules (--schedule NAME):", all_schedules()));
      return kDone;
    };
  });
}

}  // namespace mezzo::cli
