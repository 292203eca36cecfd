// mezzo redo: reads the recipe inside a picture and draws it again, with changes where flags ask
// for them.
#include <memory>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/pictures.h"
#include "mezzotint/files.h"

namespace mezzo::cli {
namespace {

struct Flags {
  std::string image;
  ModelFlags model;
  RequestFlags request;
  OutputFlags output;
};

int redo(Session& session, Flags& flags) {
  std::string made_with;
  GenerateParams request = flags.request.over(read_recipe(flags.image, &made_with));
  if (request.strength && !request.init)
    throw UsageError(
        fmt::format("{} was made from another picture, which its recipe does not hold; give that "
                    "one with --init FILE, and its mask, if it had one, with --mask FILE",
                    flags.image));
  if (flags.model.model.empty() && !made_with.empty()) {
    try {
      flags.model.model = find_model(made_with, flags.model.folder_list());
    } catch (const LoadError&) {
      throw LoadError(
          fmt::format("{} was made with the model {}, which is not in the models folders; give its "
                      "file with -m",
                      flags.image, made_with));
    }
  }
  return draw(session, flags.model, request, flags.output);
}

}  // namespace

void add_redo(CLI::App& app, Session& session) {
  const auto flags = std::make_shared<Flags>();
  add_text(app, "image", flags->image,
           "A picture that Mezzotint or another Stable Diffusion program made.")
      .required()
      .type_name("IMAGE");
  add_output_flag(app, flags->output);
  add_request_flags(app, flags->request);
  add_picture_flags(app, flags->request);
  add_preview_flags(app, flags->output);
  add_model_flags(app, flags->model);
  add_progress_flags(app, session);
  add_json_flag(app, session);
  set_footer(app,
             "Flags replace what the recipe says.\n"
             "Examples:\n"
             "  mezzo redo apple.png -o again.png\n"
             "  mezzo redo apple.png --seed 7 --steps 40\n"
             "  mezzo redo from-the-web.png -m my-model.safetensors");
  when_chosen(app, [flags, &session] {
    session.command = [flags, &session] { return redo(session, *flags); };
  });
}

}  // namespace mezzo::cli
