// mezzo plan: memory, work and time of a request, predicted without loading the model.
#include <memory>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/text.h"
#include "mezzotint/files.h"

namespace mezzo::cli {
namespace {

std::string time_text(double seconds) {
  constexpr double kShort = 9.95;  // tenths are of interest
  return seconds < kShort ? fmt::format("{:.1f} s", seconds) : format_time(seconds);
}

std::string describe(const Plan& p) {
  std::string text = fmt::format("{:<16} {:>10} {:>12} {:>10} {:>12} {:>9}\n", "phase", "weights",
                                 "activations", "peak", "GFLOP", "seconds");
  for (const PlanPhase& phase : p.phases)
    text += fmt::format("{:<16} {:>10} {:>12} {:>10} {:>12.1f} {:>9.2f}\n", phase.name,
                        format_bytes(phase.weights), format_bytes(phase.activations),
                        format_bytes(phase.peak), static_cast<double>(phase.flops) / 1e9,
                        phase.seconds);
  text += fmt::format("\nmemory at its highest: {}\ntime: about {} (precision {})\n",
                      format_bytes(p.peak), time_text(p.seconds), p.precision);
  if (!p.measures.empty()) text += "\ndone to need less memory:\n";
  for (const std::string& measure : p.measures) text += fmt::format("  {}\n", measure);
  return text;
}

std::string describe(const std::vector<PlanAlternative>& alternatives) {
  std::string text = fmt::format("\n{:<39} {:>10} {:>10}\n",
                                 "from fast to small, one after the other", "peak", "time"),
              before;
  for (const PlanAlternative& a : alternatives) {
    std::string numbers =
        fmt::format("{:>10} {:>10}\n", format_bytes(a.peak), time_text(a.seconds));
    if (numbers == before) continue;  // this one changes nothing here
    text += fmt::format("{:<39} {}", a.name, numbers);
    before = std::move(numbers);
  }
  return text;
}

}  // namespace

void add_plan(CLI::App& app, Session& session) {
  struct Flags {
    ModelFlags model;
    RequestFlags request;
  };
  const auto flags = std::make_shared<Flags>();
  add_prompts(app, flags->request);
  add_request_flags(app, flags->request);
  add_picture_flags(app, flags->request);
  add_model_flags(app, flags->model);
  add_json_flag(app, session);
  set_footer(app,
             "Examples:\n"
             "  mezzo plan --width 768 --height 768 --steps 30\n"
             "  mezzo plan -m v1-5-pruned-emaonly.safetensors --max-ram 4G --json");
  when_chosen(app, [flags, &session] {
    session.command = [flags, &session] {
      GenerateParams request = flags->request.load();
      if (request.prompts.empty()) request.prompts = {""};  // every prompt costs the same
      validate(request);
      const std::string model = flags->model.find();
      EngineOptions options = flags->model.engine;
      options.once = true;  // as mezzo generate has it
      const Plan result = plan(model, options, request);
      const auto others = plan_alternatives(model, options, request);
      print(session.json ? mezzo::to_json(result, others) + "\n"
                         : describe(result) + describe(others));
      return kDone;
    };
  });
}

}  // namespace mezzo::cli
