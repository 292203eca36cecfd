// mezzo tokens: the pieces of a prompt as the model's text encoder gets them.
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/text.h"
#include "mezzotint/files.h"

namespace mezzo::cli {
namespace {

struct Flags {
  std::string prompt;
  ModelFlags model;
};

std::string as_json(const TokenReport& report) {
  nlohmann::ordered_json json = {
      {"used", report.used}, {"limit", report.limit}, {"cut", report.cut}};
  json["pieces"] = nlohmann::ordered_json::array();
  for (const TokenPiece& piece : report.pieces)
    json["pieces"].push_back({{"id", piece.id}, {"text", piece.text}});
  return dump(json);
}

std::string describe(const TokenReport& report) {
  std::string text;
  for (const TokenPiece& piece : report.pieces)
    text += fmt::format("{:>6}  {}\n", piece.id, piece.text);
  text += fmt::format("\n{} of {} tokens\n", report.used, report.limit);
  if (!report.cut.empty()) text += fmt::format("the model does not see: {}\n", report.cut);
  return text;
}

}  // namespace

void add_tokens(CLI::App& app, Session& session) {
  const auto flags = std::make_shared<Flags>();
  add_text(app, "prompt", flags->prompt, "The text.").required().type_name("PROMPT");
  add_model_flags(app, flags->model);
  add_json_flag(app, session);
  set_footer(app,
             "Examples:\n"
             "  mezzo tokens \"a red apple\"\n"
             "  mezzo tokens \"a red apple\" -m my-model.safetensors --json");
  when_chosen(app, [flags, &session] {
    session.command = [flags, &session] {
      const TokenReport report =
          count_tokens(flags->model.find(), flags->model.engine, flags->prompt);
      print(session.json ? as_json(report) : describe(report));
      return kDone;
    };
  });
}

}  // namespace mezzo::cli
