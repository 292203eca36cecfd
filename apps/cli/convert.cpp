// mezzo convert: any model that can be read, as one self-contained file.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <span>

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
  ModelFlags model;
  std::string out;
  ConvertOptions options;
  bool report = false;
};

constexpr std::size_t kWorstLayers = 12;  // that are shown

nlohmann::ordered_json quality_json(const WeightQuality& q) {
  nlohmann::ordered_json json;
  for (const auto& n : q.networks)
    json["networks"][n.name] = {{"error", n.error}, {"cosine", n.cosine}};
  json["picture_psnr"] = q.psnr;  // the same picture: null, as JSON has no infinity
  json["layers"] = nlohmann::ordered_json::array();
  for (const auto& l : q.layers)
    json["layers"].push_back(
        {{"tensor", l.tensor}, {"type", l.type}, {"error", l.error}, {"kept", l.kept}});
  return json;
}

std::string quality_text(const WeightQuality& q) {
  std::string text = "\nagainst the original in float32:\n";
  for (const auto& n : q.networks)
    text += fmt::format("  {:<16} error {:.5f}  cosine {:.6f}\n", n.name, n.error, n.cosine);
  text += fmt::format("  {:<16} {:.1f} dB\n", "picture", q.psnr);
  if (!q.layers.empty()) text += "\nlayers that rounding changes most:\n";
  for (const auto& l : std::span(q.layers).first(std::min(kWorstLayers, q.layers.size())))
    text += fmt::format("  {:.5f}  {:<7} {}{}\n", l.error, l.type, l.tensor,
                        l.kept ? " (kept at more bits)" : "");
  return text;
}

int run_convert(Session& session, const Flags& flags) {
  const RunOptions run = session.begin();
  session.signals.watch_folder(std::filesystem::path(flags.out).parent_path());
  ConvertOptions options = flags.options;
  options.quality = flags.report;
  const ConvertReport report = convert(flags.model.find(), flags.out, options, run);
  session.printer->clear();
  if (session.json) {
    nlohmann::ordered_json json = {
        {"file", flags.out}, {"bytes_in", report.bytes_in}, {"bytes_out", report.bytes_out}};
    for (const auto& [type, count] : report.dtypes) json["tensors"][type] = count;
    if (report.quality) json["quality"] = quality_json(*report.quality);
    print(dump(json));
    return kDone;
  }
  print(session.quiet ? flags.out + "\n"
                      : fmt::format("saved {} ({}, from {})\n", flags.out,
                                    format_bytes(report.bytes_out), format_bytes(report.bytes_in)));
  if (flags.report)
    for (const auto& [type, count] : report.dtypes)
      print(fmt::format("  {:<6} {:>6} tensors\n", type, count));
  if (report.quality) print(quality_text(*report.quality));
  return kDone;
}

}  // namespace

void add_convert(CLI::App& app, Session& session) {
  const auto flags = std::make_shared<Flags>();
  add_text(app, "in", flags->model.model, "The model: a file, a folder or a name.")
      .required()
      .type_name("IN");
  add_text(app, "out", flags->out, "The file to write (.gguf).").required().type_name("OUT");
  add_text(
      app, "--weights", flags->options.weights,
      "Type of the weights: f16, bf16, f32, q8_0, q5_1, q5_0, q4_k, q4_1, q4_0, or by network as "
      "in unet=q8_0,vae=f16. Default: f16, but quantised weights as they are.")
      .type_name("SPEC");
  add_part_flags(app, {.vae = flags->options.vae,
                       .clip = flags->options.clip,
                       .encoders = {flags->options.clip_l, flags->options.clip_g, flags->options.t5,
                                    flags->options.no_t5}});
  add_text(app, "--config", flags->options.config,
           "A diffusers folder that describes a single-file model.")
      .type_name("DIR");
  add_switch(app, "--overwrite", flags->options.overwrite, "Replace OUT where it exists.");
  add_switch(
      app, "--report", flags->report,
      "Tell how many tensors of each type were written and what was lost: draws a picture with "
      "both models.");
  add_models_dir_flag(app, flags->model);
  add_progress_flags(app, session);
  add_json_flag(app, session);
  set_footer(app,
             "Examples:\n"
             "  mezzo convert v1-5-pruned-emaonly.safetensors sd15.gguf\n"
             "  mezzo convert my-diffusers-folder small.gguf --weights q8_0 --report");
  when_chosen(app, [flags, &session] {
    session.command = [flags, &session] { return run_convert(session, *flags); };
  });
}

}  // namespace mezzo::cli
