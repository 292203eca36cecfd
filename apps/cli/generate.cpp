// mezzo generate: pictures from text, from a picture (--init), or by repainting a part of one
// (--mask).
#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/pictures.h"
#include "cli/text.h"

namespace mezzo::cli {
namespace {

/// Words without quotes around them arrive as a prompt each.
void note_single_words(Session& session, const std::vector<std::string>& prompts) {
  const auto has_space = [](const std::string& p) { return p.find(' ') != p.npos; };
  if (prompts.size() < 2 || std::ranges::any_of(prompts, has_space)) return;
  session.note(fmt::format(
      "{} prompts, with pictures for each; for one picture put quotes around them: \"{}\"",
      prompts.size(), join(prompts, " ")));
}

}  // namespace

void add_generate(CLI::App& app, Session& session) {
  struct Flags {
    ModelFlags model;
    RequestFlags request;
    OutputFlags output;
  };
  const auto flags = std::make_shared<Flags>();
  add_prompts(app, flags->request);
  add_output_flag(app, flags->output);
  add_request_flags(app, flags->request);
  add_picture_flags(app, flags->request);
  add_preview_flags(app, flags->output);
  add_model_flags(app, flags->model);
  add_progress_flags(app, session);
  add_json_flag(app, session);
  set_footer(app,
             "Examples:\n"
             "  mezzo generate \"a red apple\" -o apple.png\n"
             "  mezzo generate \"a lion\" \"a tiger\" --count 3 -o pictures/\n"
             "  mezzo generate \"a green apple\" --init apple.png --strength 0.6 -o green.png\n"
             "  mezzo generate \"a castle\" -m runwayml/stable-diffusion-v1-5 --steps 25 --sampler "
             "dpmpp_2m --schedule karras");
  when_chosen(app, [flags, &session] {
    session.command = [flags, &session] {
      const GenerateParams request = flags->request.load();
      note_single_words(session, flags->request.prompts);
      return draw(session, flags->model, request, flags->output);
    };
  });
}

}  // namespace mezzo::cli
