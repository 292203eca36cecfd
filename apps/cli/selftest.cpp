// mezzo selftest: the checks that prove the build and the machine, a line each.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/text.h"
#include "mezzotint/files.h"

namespace mezzo::cli {

void add_selftest(CLI::App& app, Session& session) {
  add_json_flag(app, session);
  set_footer(app,
             "Examples:\n"
             "  mezzo selftest\n"
             "  mezzo selftest --json");
  when_chosen(app, [&session] {
    session.command = [&session] {
      auto checks = nlohmann::ordered_json::array();
      const bool passed = selftest([&](bool ok, std::string_view line) {
        if (session.json)
          checks.push_back({{"ok", ok}, {"check", line}});
        else
          print(fmt::format("{}  {}\n", ok ? "ok  " : "FAIL", line));
      });
      if (session.json)
        print(dump({{"passed", passed}, {"checks", std::move(checks)}}));
      else
        print(passed ? "everything is as it should be\n"
                     : "some checks failed; please report this with the lines above\n");
      return passed ? kDone : kFailed;
    };
  });
}

}  // namespace mezzo::cli
