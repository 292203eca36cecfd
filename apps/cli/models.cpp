// mezzo models: what can be given to -m, and what the shipped model can draw.
#include <algorithm>
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

using Json = nlohmann::ordered_json;

Json to_json(const ModelEntry& m) {
  Json json = {{"name", m.name}, {"path", m.path},   {"family", m.family},
               {"form", m.form}, {"bytes", m.bytes}, {"shipped", m.shipped}};
  if (!m.objects.empty()) json["objects"] = m.objects;
  if (!m.error.empty()) json["error"] = m.error;
  return json;
}

std::string describe(const std::vector<ModelEntry>& models) {
  std::string text;
  std::size_t widest = 0;
  for (const ModelEntry& m : models) widest = std::max(widest, m.name.size());
  for (const ModelEntry& m : models) {
    const std::string what =
        m.error.empty() ? m.family + ", " + m.form : "cannot be used: " + m.error;
    text += fmt::format("{:<{}}  {:>9}  {}{}\n", m.name, widest, format_bytes(m.bytes), what,
                        m.shipped ? " (shipped; used when no -m is given)" : "");
  }
  for (const ModelEntry& m : models)
    if (!m.objects.empty())
      text += fmt::format("\n{} can draw:\n{}\n", m.name, wrap(join(m.objects, ", "), 78, "  "));
  if (models.empty())
    text =
        "no models found; give folders with --models-dir or MEZZO_MODELS, or name a file with -m\n";
  return text;
}

}  // namespace

void add_models(CLI::App& app, Session& session) {
  const auto flags = std::make_shared<ModelFlags>();
  add_models_dir_flag(app, *flags);
  add_json_flag(app, session);
  set_footer(app,
             "Examples:\n"
             "  mezzo models\n"
             "  mezzo models --models-dir ~/models:/data/models --json");
  when_chosen(app, [flags, &session] {
    session.command = [flags, &session] {
      const auto models = list_models(flags->folder_list());
      if (!session.json) {
        print(describe(models));
        return kDone;
      }
      Json list = Json::array();
      for (const ModelEntry& m : models) list.push_back(to_json(m));
      print(dump(list));
      return kDone;
    };
  });
}

}  // namespace mezzo::cli
