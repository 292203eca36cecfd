// /api/v1/models, /api/v1/options, /api/v1/tokens, /health and /metrics.
#include <algorithm>
#include <type_traits>

#include <fmt/format.h>

#include "mezzotint/files.h"
#include "server/api.h"

namespace mezzo::server {
namespace {

Response models(Context& context) {
  const auto loaded = context.drawer.loaded();
  Json list = Json::array();
  for (Json m : context.catalogue.list()) {
    m["loaded"] = std::find(loaded.begin(), loaded.end(), text_at(m, "path")) != loaded.end();
    m.erase("path");
    list.push_back(std::move(m));
  }
  return json_response(dump({{"models", std::move(list)}, {"folders", context.folders}}));
}

Json names(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Json list = Json::array();
  for (const auto& [name, label] : pairs) list.push_back({{"name", name}, {"label", label}});
  return list;
}

std::string options_text() {
  Json fields = Json::array();
  for (const Field& f : generate_fields())
    fields.push_back({{"name", f.name},
                      {"type", type_of(f)},
                      {"min", f.min},
                      {"max", f.max},
                      {"choices", choices_of(f)},
                      {"default", f.default_text},
                      {"help", f.help}});
  return dump({{"fields", std::move(fields)},
               {"samplers", names(sampler_names())},
               {"schedules", names(schedule_names())},
               {"version", version()}});
}

Response options() {
  static const std::string kText = options_text();  // never changes while the program runs
  return json_response(kText);
}

Response tokens(Context& context, const Request& r) {
  const Json body = parse_object(r.body);
  const auto it = body.find("prompt");
  if (it == body.end() || !it->is_string())
    throw ApiError(400, "usage", "prompt: give a text", "prompt");
  if (const auto m = body.find("model"); m != body.end() && !m->is_string() && !m->is_null())
    throw ApiError(400, "usage", "model: give a text", "model");
  const Json model = context.catalogue.find(text_at(body, "model"), context.model_in_use());
  const Frame answer =
      context.questions.ask({{"what", "tokens"}, {"model", model.at("path")}, {"prompt", *it}});
  return json_response(dump(answer.head.at("result")));
}

Response health(Context& context) {
  const std::string worker = context.drawer.status();
  return json_response(dump({{"status", worker == "down" ? "degraded" : "ok"},
                             {"worker", worker},
                             {"version", version()}}));
}

Response metrics(Context& context) {
  const Queue::Counts counts = context.queue.counts();
  std::string text;
  const auto add = [&](std::string_view name, std::string_view type, std::string_view help,
                       auto value) {
    text += fmt::format("# HELP mezzo_{0} {2}\n# TYPE mezzo_{0} {1}\nmezzo_{0} {3}\n", name, type,
                        help, value);
  };
  add("jobs_queued", "gauge", "Jobs that wait.", counts.queued);
  add("jobs_running", "gauge", "Jobs that run.", counts.running);
  add("pictures_total", "counter", "Pictures drawn since the start.", counts.pictures);
  add("worker_deaths_total", "counter", "Workers that died at a job.", counts.worker_deaths);
  add("event_listeners", "gauge", "Open event streams.", context.events.listeners());
  add("models_loaded", "gauge", "Models in memory.", context.drawer.loaded().size());
  text +=
      "# HELP mezzo_jobs_total Jobs that are over, by how they ended.\n"
      "# TYPE mezzo_jobs_total counter\n";
  for (const auto& [state, count] : counts.ended)
    text += fmt::format("mezzo_jobs_total{{state=\"{}\"}} {}\n", state, count);
  return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = std::move(text)};
}

}  // namespace

const char* type_of(const Field& field) {
  return std::visit(
      [](auto member) {
        using T = std::remove_cvref_t<decltype(GenerateParams{}.*member)>;
        return std::is_same_v<T, std::string>    ? "text"
               : std::is_same_v<T, bool>         ? "boolean"
               : std::is_same_v<T, std::int64_t> ? "integer"
                                                 : "number";
      },
      field.member);
}

Json choices_of(const Field& field) {
  Json choices = Json::array();
  std::string_view rest = field.choices;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('|'), rest.size());
    choices.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return choices;
}

void add_model_routes(Router& router, Context& context) {
  Context* c = &context;
  router.add("GET", "/api/v1/models", [c](const Request&) { return models(*c); });
  router.add("GET", "/api/v1/options", [](const Request&) { return options(); });
  router.add("POST", "/api/v1/tokens", [c](const Request& r) { return tokens(*c, r); });
}

void add_health_routes(Router& router, Context& context) {
  Context* c = &context;
  router.add("GET", "/health", [c](const Request&) { return health(*c); });
  router.add("GET", "/metrics", [c](const Request&) { return metrics(*c); });
}

}  // namespace mezzo::server
