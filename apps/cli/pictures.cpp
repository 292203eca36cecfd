#include "cli/pictures.h"

#include <utility>

#include <fmt/format.h>

#include "cli/exit_code.h"
#include "cli/text.h"
#include "mezzotint/files.h"

namespace mezzo::cli {
namespace {

using Json = nlohmann::ordered_json;

/// What an approximation did, where there was one.
std::string reuse_text(const Reuse& r) {
  if (!r.reused) return {};
  return fmt::format("; {} of {} calls of the network used features again, drift {:.3f}", r.reused,
                     r.calls, r.drift);
}

void tell(Session& session, const Picture& picture, const fs::path& file, bool replaced) {
  if (session.json) return;
  session.printer->clear();
  if (session.quiet)
    print(file.string() + "\n");
  else
    print(fmt::format("{} {} ({}x{}, seed {}, {:.1f} s{})\n", replaced ? "replaced" : "saved",
                      file.string(), picture.image.width, picture.image.height, picture.seed,
                      picture.seconds, reuse_text(picture.reuse)));
}

}  // namespace

void add_output_flag(CLI::App& app, OutputFlags& flags) {
  add_text(app, "-o,--output", flags.output,
           "Where to save: a file (.png, .jpg, .webp), a folder, or a pattern such as "
           "\"[seed]-[prompt].png\". "
           "Default: a name made from the prompt.")
      .type_name("OUT");
  add_number(app, "--quality", flags.quality, "Quality of JPEG and WebP, 1 to 100. Default: 92.",
             {1, 100});
}

void add_preview_flags(CLI::App& app, OutputFlags& flags) {
  add_text(app, "--preview", flags.preview, "Keep saving the unfinished picture to this file.")
      .type_name("FILE");
  add_number(app, "--preview-every", flags.preview_every, "Steps between previews. Default: 5.",
             {1, 1000});
}

void add_preview(RunOptions& run, const OutputFlags& flags, Session& session) {
  if (flags.preview.empty()) return;
  check_extension(flags.preview);
  const fs::path folder = fs::path(flags.preview).parent_path();
  check_writable(folder.empty() ? "." : folder);
  session.signals.watch_folder(folder);
  run.preview_every = flags.preview_every;
  run.progress = [show = std::move(run.progress), file = flags.preview](const Progress& progress) {
    show(progress);
    if (progress.preview == nullptr) return;
    try {
      save_image(file, *progress.preview);
    } catch (const DeviceError& e) {  // a full disk may have room again when the picture is done
      std::fputs(fmt::format("mezzo: the preview was not saved: {}\n", e.what()).c_str(), stderr);
    }
  };
}

Json picture_json(const Picture& picture, const fs::path& file) {
  return {
      {"file", file.string()},          {"prompt", picture.prompt},
      {"seed", picture.seed},           {"width", picture.image.width},
      {"height", picture.image.height}, {"seconds", picture.seconds},
      {"infotext", picture.infotext},   {"request", Json::parse(picture.request, nullptr, false)}};
}

int draw(Session& session, const ModelFlags& model, const GenerateParams& request,
         const OutputFlags& output) {
  validate(request);
  const std::string path = model.find();
  RunOptions run = session.begin();
  // Everything that can be wrong with the output is found before minutes of work.
  OutputNames names(output.output, request.prompts.size() * static_cast<std::size_t>(request.count),
                    request);
  add_preview(run, output, session);

  EngineOptions options = model.engine;
  options.once = true;
  if (options.max_ram) plan(path, options, request);  // refused before loading begins

  Json pictures = Json::array();
  Json result = Json::object();
  try {
    Engine engine = Engine::open(path, options, run);
    const GenerateParams resolved = engine.resolve(request);
    result["model"] = engine.info().name;
    engine.generate(request, run, [&](const Picture& picture) {
      const fs::path file = names.next(
          {resolved, picture.prompt, picture.seed, engine.info().name, pictures.size() + 1});
      session.signals.watch_folder(file.parent_path());
      std::error_code error;
      const bool replaced = fs::exists(file, error);
      save_picture(file.string(), picture, output.quality);
      pictures.push_back(picture_json(picture, file));
      tell(session, picture, file, replaced);
    });
  } catch (...) {
    if (!session.json || pictures.empty()) throw;
    // What was finished is told together with the error.
    const Failure failure = describe(std::current_exception());
    result["pictures"] = std::move(pictures);
    result["error"] = Json::parse(to_json(failure))["error"];
    print(dump(result));
    return failure.code;
  }
  result["pictures"] = std::move(pictures);
  session.printer->clear();
  if (session.json) print(dump(result));
  return kDone;
}

}  // namespace mezzo::cli
