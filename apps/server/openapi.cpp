// /api/v1/openapi.json: the native interface described by itself, after OpenAPI 3.1. The parameters
// come from the one table (params.h).
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <fmt/format.h>

#include "mezzotint/files.h"
#include "server/api.h"

namespace mezzo::server {
namespace {

Json reference(const std::string& name) { return {{"$ref", "#/components/schemas/" + name}}; }
Json typed(const char* type) { return {{"type", type}}; }
Json or_null(const char* type) { return {{"type", Json::array({type, "null"})}}; }
Json list_of(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }
/// An object with these properties, all of which it always has.
Json object(Json properties) {
  Json required = Json::array();
  for (const auto& [name, schema] : properties.items()) required.push_back(name);
  return {{"type", "object"}, {"properties", std::move(properties)}, {"required", required}};
}

// --- requests ---

Json schema_of(const Field& field) {
  const std::string type = type_of(field);
  Json schema = or_null(type == "text" ? "string" : type.c_str());
  schema["description"] = fmt::format("{} Default: {}.", field.help, field.default_text);
  if (type == "integer" || type == "number")
    schema["minimum"] = field.min, schema["maximum"] = field.max;
  if (field.name == "width" || field.name == "height") schema["multipleOf"] = 8;
  if (const Json choices = choices_of(field); !choices.empty()) {
    schema["enum"] = choices;
    schema["enum"].push_back("");
    schema["enum"].push_back(nullptr);
  }
  return schema;
}

Json request_schema() {
  Json properties = Json::object();
  properties["prompt"] = or_null("string");
  properties["prompt"]["description"] = "What to draw.";
  properties["prompts"] = list_of(typed("string"));
  properties["prompts"]["type"] = {"array", "null"};
  properties["prompts"]["minItems"] = 1;
  properties["prompts"]["description"] = "Several prompts, count pictures each; instead of prompt.";
  properties["model"] = or_null("string");
  properties["model"]["description"] = "A name of /api/v1/models.";
  const Json picture = {{"oneOf", Json::array({{{"type", "string"}, {"contentEncoding", "base64"}},
                                               object({{"image", typed("integer")}}),
                                               typed("null")})},
                        {"description", "base64, a data: URL, or a picture of the gallery."}};
  properties["init_image"] = picture;
  properties["mask_image"] = picture;
  properties["preview_every"] = {{"type", {"integer", "null"}}, {"minimum", 0}, {"maximum", 1000}};
  for (const Field& f : generate_fields()) properties[std::string(f.name)] = schema_of(f);
  return {{"type", "object"},
          {"properties", properties},
          {"additionalProperties", false},
          {"anyOf", Json::array({{{"required", {"prompt"}}}, {{"required", {"prompts"}}}})}};
}

// --- answers ---

Json schemas() {
  const Json link = object({{"id", typed("integer")},
                            {"url", typed("string")},
                            {"thumbnail", typed("string")},
                            {"seed", typed("integer")},
                            {"width", typed("integer")},
                            {"height", typed("integer")}});
  const Json states =
      Json::array({"queued", "running", "completed", "failed", "cancelled", "poisoned"});
  Json failure = object({{"code", typed("string")}, {"message", typed("string")}});
  failure["properties"]["field"] = typed("string");
  Json failure_or_null = failure;
  failure_or_null["type"] = Json::array({"object", "null"});
  return {
      {"Request", request_schema()},
      {"Error", object({{"error", failure}})},
      {"Job", object({{"id", typed("string")},
                      {"kind", {{"enum", {"text", "image", "inpaint"}}}},
                      {"state", {{"enum", states}}},
                      {"position", or_null("integer")},
                      {"created", typed("string")},
                      {"started", or_null("string")},
                      {"finished", or_null("string")},
                      {"request", typed("object")},
                      {"progress", or_null("object")},
                      {"images", list_of(link)},
                      {"warnings", list_of(typed("string"))},
                      {"error", failure_or_null}})},
      {"Jobs", object({{"jobs", list_of(reference("Job"))}})},
      {"Image", typed("object")},
      {"Images", object({{"images", list_of(typed("object"))}, {"total", typed("integer")}})},
      {"Tags", object({{"tags", list_of(object({{"name", typed("string")},
                                                {"pictures", typed("integer")}}))}})},
      {"Tagged", object({{"images", list_of(object({{"id", typed("integer")},
                                                    {"tags", list_of(typed("string"))}}))}})},
      {"Models",
       object({{"models", list_of(typed("object"))}, {"folders", list_of(typed("string"))}})},
      {"Options", object({{"fields", list_of(typed("object"))},
                          {"samplers", list_of(typed("object"))},
                          {"schedules", list_of(typed("object"))},
                          {"version", typed("string")}})},
      {"Tokens", object({{"used", typed("integer")},
                         {"limit", typed("integer")},
                         {"cut", typed("string")},
                         {"pieces", list_of(typed("object"))}})},
      {"Plan", typed("object")},
      {"Recipe", object({{"request", typed("object")},
                         {"infotext", typed("string")},
                         {"model", typed("string")}})},
  };
}

/// A body that a route takes: small ones are described in place.
Json body_schema(std::string_view name) {
  const Json favourite = object({{"favourite", typed("boolean")}});
  const std::map<std::string_view, Json> small = {
      {"position", object({{"position", typed("integer")}})},
      {"favourite", favourite},
      {"ids", object({{"ids", list_of(typed("integer"))}})},
      {"tagging",
       {{"type", "object"},
        {"properties",
         {{"ids", list_of(typed("integer"))},
          {"add", list_of(typed("string"))},
          {"remove", list_of(typed("string"))}}},
        {"required", {"ids"}}}},
      {"prompt",
       {{"type", "object"},
        {"properties", {{"prompt", typed("string")}, {"model", or_null("string")}}},
        {"required", {"prompt"}}}}};
  const auto it = small.find(name);
  return it == small.end() ? reference(std::string(name)) : it->second;
}

struct Described {
  std::string_view method, path;  // as the router has them
  std::string_view summary;
  std::string_view body = {};    // a schema; "picture": the bytes of one
  std::string_view answer = {};  // a schema, or the type of what is no JSON; empty: 204
  int status = 200;
  std::string_view errors = "";  // besides those that every route has
  std::string_view query = {};   // names, separated by spaces
};
constexpr std::array kRoutes = {
    Described{"POST", "/api/v1/jobs", "Puts a request into the queue.", "Request", "Job", 202,
              "422 429 503"},
    Described{"GET", "/api/v1/jobs", "The jobs, the newest last.", "", "Jobs", 200, "",
              "state limit"},
    Described{"DELETE", "/api/v1/jobs", "Cancels every job."},
    Described{"GET", "/api/v1/jobs/{}", "One job.", "", "Job"},
    Described{"DELETE", "/api/v1/jobs/{}", "Cancels a job.", "", "", 200, "409"},
    Described{"PATCH", "/api/v1/jobs/{}", "Moves a queued job.", "position", "Job", 200, "409"},
    Described{"POST", "/api/v1/jobs/{}/retry", "The same request again.", "", "Job", 202,
              "409 429 503"},
    Described{"GET", "/api/v1/events", "Server-sent events, of all jobs or one.", "",
              "text/event-stream", 200, "", "job"},
    Described{"POST", "/api/v1/plan", "Memory, work and time of a request.", "Request", "Plan", 200,
              "422 503"},
    Described{"GET", "/api/v1/models", "The models that can be used.", "", "Models", 200, "503"},
    Described{"GET", "/api/v1/options", "The parameters, samplers and schedules.", "", "Options"},
    Described{"POST", "/api/v1/tokens", "The tokens of a prompt.", "prompt", "Tokens", 200,
              "422 503"},
    Described{"GET", "/api/v1/images", "The gallery, the newest first.", "", "Images", 200, "",
              "query model sampler favourite tag since until before limit"},
    Described{"POST", "/api/v1/images/zip", "Several pictures as a ZIP.", "ids", "application/zip"},
    Described{"POST", "/api/v1/images/tags", "Puts tags on pictures and takes others away.",
              "tagging", "Tagged", 200, "503"},
    Described{"GET", "/api/v1/tags", "The tags, and how many pictures have each.", "", "Tags"},
    Described{"GET", "/api/v1/images/{}", "What is known of a picture.", "", "Image"},
    Described{"GET", "/api/v1/images/{}/file", "The picture itself.", "", "image/png"},
    Described{"GET", "/api/v1/images/{}/thumbnail", "At most 320 pixels a side.", "", "image/png",
              200, "503"},
    Described{"PATCH", "/api/v1/images/{}", "Marks a favourite.", "favourite", "Image"},
    Described{"DELETE", "/api/v1/images/{}", "Moves a picture to the trash."},
    Described{"POST", "/api/v1/images/{}/restore", "Brings it back.", "", "Image"},
    Described{"POST", "/api/v1/recipe", "The recipe inside a picture.", "picture", "Recipe", 200,
              "503"},
    Described{"GET", "/api/v1/openapi.json", "This description.", "", "application/json"},
};

Json content(std::string_view type, Json schema) {
  return {{std::string(type), {{"schema", std::move(schema)}}}};
}

template <class F>
void each_word(std::string_view words, const F& f) {
  while (!words.empty()) {
    const auto end = std::min(words.find(' '), words.size());
    f(std::string(words.substr(0, end)));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
}

Json answers(const Described& d) {
  Json all = Json::object();
  if (d.answer.empty())
    all["204"] = {{"description", "done"}};
  else if (d.answer.find('/') != d.answer.npos)
    all[std::to_string(d.status)] = {{"description", d.summary},
                                     {"content", content(d.answer, Json::object())}};
  else
    all[std::to_string(d.status)] = {
        {"description", d.summary},
        {"content", content("application/json", reference(std::string(d.answer)))}};
  const auto refuse = [&](const std::string& status) {
    all[status] = {{"description", "refused; the message says why"},
                   {"content", content("application/json", reference("Error"))}};
  };
  each_word("400 401 403 404 405 413 431 500", refuse);
  each_word(d.errors, refuse);
  return all;
}

Json operation(const Described& d) {
  Json o = {{"summary", d.summary}, {"responses", answers(d)}};
  Json parameters = Json::array();
  if (d.path.find("{}") != d.path.npos)
    parameters.push_back(
        {{"name", "id"}, {"in", "path"}, {"required", true}, {"schema", typed("string")}});
  each_word(d.query, [&](const std::string& name) {
    parameters.push_back({{"name", name}, {"in", "query"}, {"schema", typed("string")}});
  });
  if (!parameters.empty()) o["parameters"] = parameters;
  if (d.body == "picture")
    o["requestBody"] = {{"required", true}, {"content", content("image/*", Json::object())}};
  else if (!d.body.empty())
    o["requestBody"] = {{"required", true},
                        {"content", content("application/json", body_schema(d.body))}};
  return o;
}

Json description(const Router& router) {
  Json paths = Json::object();
  std::set<std::pair<std::string, std::string>> described;
  for (const Described& d : kRoutes) {
    described.emplace(d.method, d.path);
    std::string path(d.path);
    if (const auto place = path.find("{}"); place != path.npos) path.replace(place, 2, "{id}");
    paths[path][ascii_lower(d.method)] = operation(d);
  }
  Json forgotten = Json::array();  // a test sees to it that there are none
  for (const auto& [method, pattern] : router.routes())
    if (pattern.starts_with("/api/v1/") && !described.contains({method, pattern}))
      forgotten.push_back(method + " " + pattern);
  return {{"openapi", "3.1.0"},
          {"info",
           {{"title", "Mezzotint"},
            {"version", version()},
            {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
          {"paths", paths},
          {"components",
           {{"schemas", schemas()},
            {"securitySchemes", {{"token", {{"type", "http"}, {"scheme", "bearer"}}}}}}},
          {"x-undescribed", forgotten}};
}

}  // namespace

void add_openapi_route(Router& router) {
  const Router* r = &router;
  router.add("GET", "/api/v1/openapi.json",
             [r](const Request&) { return json_response(dump(description(*r))); });
}

}  // namespace mezzo::server
