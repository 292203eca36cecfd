// mezzo info: what a file is, from its header alone.
#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/text.h"
#include "mezzotint/files.h"

namespace mezzo::cli {
namespace {

constexpr std::size_t kShownTensors = 8;

std::string list_some(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kShownTensors); ++i)
    text += "\n    " + names[i];
  if (names.size() > kShownTensors)
    text += fmt::format("\n    and {} more (--json lists all)", names.size() - kShownTensors);
  return text;
}

std::string describe(const FileReport::Network& n) {
  std::string types;
  for (const std::string& t : n.dtypes) types += (types.empty() ? "" : "+") + t;
  std::string text =
      fmt::format("{:<16} {:>8.1f} M parameters  {:>9}  {}\n", n.name,
                  static_cast<double>(n.parameters) / 1e6, format_bytes(n.bytes), types);
  if (!n.config.empty())
    text += fmt::format("  {} ({})\n", n.config,
                        n.config_from_file ? "from its config" : "found from the tensors");
  if (!n.missing.empty())
    text += fmt::format("  {} tensors are missing:{}\n", n.missing.size(), list_some(n.missing));
  return text;
}

std::string describe(const FileReport& r) {
  std::string text =
      fmt::format("{}: {}{}\n", r.path, r.kind, r.bytes == 0 ? "" : ", " + format_bytes(r.bytes));
  if (!r.family.empty()) text += fmt::format("family: {}\n", r.family);
  if (!r.form.empty()) text += fmt::format("form: {}\n", r.form);
  for (const auto& n : r.networks) text += describe(n);
  if (!r.unknown.empty())
    text +=
        fmt::format("{} tensors belong to no network:{}\n", r.unknown.size(), list_some(r.unknown));
  for (const std::string& w : r.warnings) text += fmt::format("warning: {}\n", w);
  if (!r.error.empty()) text += fmt::format("cannot be loaded: {}\n", r.error);
  if (!r.advice.empty()) text += fmt::format("{}\n", r.advice);
  return text;
}

}  // namespace

void add_info(CLI::App& app, Session& session) {
  const auto flags = std::make_shared<ModelFlags>();
  add_text(app, "file", flags->model,
           "A file or folder, or the name of a model. Default: the shipped model.")
      .type_name("FILE");
  add_text(app, "--config", flags->engine.config,
           "A diffusers folder that describes a single-file model.")
      .type_name("DIR");
  add_models_dir_flag(app, *flags);
  add_json_flag(app, session);
  set_footer(app,
             "Reads headers only; nothing in the file is run.\n"
             "Examples:\n"
             "  mezzo info v1-5-pruned-emaonly.safetensors\n"
             "  mezzo info downloaded.ckpt --json");
  when_chosen(app, [flags, &session] {
    session.command = [flags, &session] {
      const FileReport report = inspect(flags->find(), flags->engine.config);
      print(session.json ? mezzo::to_json(report) + "\n" : describe(report));
      const bool usable = report.error.empty() &&
                          std::ranges::all_of(report.networks, &FileReport::Network::usable);
      return usable ? kDone : kModelUnreadable;
    };
  });
}

}  // namespace mezzo::cli
