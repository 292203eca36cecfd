// mezzo generate: pictures from text, from a picture (--init), or by repainting a part of one
// (--mask).
#include <memory>

#include "cli/commands.h"
#include "cli/pictures.h"

namespace mezzo::cli {

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
      return draw(session, flags->model, flags->request.load(), flags->output);
    };
  });
}

}  // namespace mezzo::cli
