// mezzo bench: the speed of this machine with a model.
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/text.h"

namespace mezzo::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  ModelFlags model;
  BenchOptions options;
};

std::string as_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.4g}", value.get<double>());
  return value.dump();
}

/// Names and values below each other; what is nested is indented.
std::string as_lines(const Json& json, const std::string& indent) {
  std::string text;
  for (const auto& [key, value] : json.items()) {
    if (value.is_object())
      text += indent + key + "\n" + as_lines(value, indent + "  ");
    else if (!value.is_array() || value.empty() || !value.front().is_object())
      text += fmt::format("{}{:<28} {}\n", indent, key, as_text(value));
    else
      for (const Json& row : value) {
        std::string line;
        for (const auto& [name, cell] : row.items())
          line += fmt::format("{}{} {}", line.empty() ? "" : ", ", name, as_text(cell));
        text += fmt::format("{}{}: {}\n", indent, key, line);
      }
  }
  return text;
}

}  // namespace

void add_bench(CLI::App& app, Session& session) {
  const auto flags = std::make_shared<Flags>();
  BenchOptions& options = flags->options;
  const auto number = [&](const char* name, int& target, int least, int most, const char* help) {
    app.add_option(name, target, help)->check(CLI::Range(least, most))->type_name("N");
  };
  number("--width", options.width, 8, 4096, "Width in pixels. Default: the model's.");
  number("--height", options.height, 8, 4096, "Height in pixels. Default: the model's.");
  number("--steps", options.steps, 1, 1000,
         "Steps of the picture that the time is for. Default: 20.");
  number("--repeats", options.repeats, 1, 1000, "How often each part is measured. Default: 3.");
  app.add_flag("--layers", options.layers, "Also tell the time of every layer.");
  app.add_flag("--whole", options.whole,
               "Also draw a whole picture, rather than adding up its parts.");
  add_model_flags(app, flags->model);
  add_progress_flags(app, session);
  add_json_flag(app, session);
  app.footer(
      "Examples:\n"
      "  mezzo bench\n"
      "  mezzo bench -m v1-5-pruned-emaonly.safetensors --width 512 --height 512 --json");
  app.callback([flags, &session] {
    session.command = [flags, &session] {
      const RunOptions run = session.begin();
      Engine engine = Engine::open(flags->model.find(), flags->model.engine, run);
      const std::string json = engine.bench(flags->options, run);
      session.printer->clear();
      print(session.json ? json + "\n" : as_lines(Json::parse(json), ""));
      return kDone;
    };
  });
}

}  // namespace mezzo::cli
