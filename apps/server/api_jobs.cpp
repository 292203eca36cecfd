// /api/v1/jobs, /api/v1/events and /api/v1/plan.
#include <algorithm>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include "mezzotint/params.h"
#include "server/api.h"
#include "server/submission.h"

namespace mezzo::server {
namespace {

constexpr std::int64_t kMaxPreviewEvery = 1000;

/// "data:..." or base64 text, or {"image": 31}.
PictureInput picture_of(Context& context, const Json& value, const char* field) {
  if (value.is_string())
    return {.bytes = base64_decoded(value.get_ref<const std::string&>(), field), .shown = true};
  if (value.is_object() && value.size() == 1 && value.contains("image") &&
      value["image"].is_number_integer())
    return {.bytes = context.gallery.bytes(value["image"].get<std::int64_t>()), .shown = value};
  throw ApiError(400, "usage",
                 fmt::format("{}: give base64, a data: URL or {{\"image\": ID}}", field), field);
}

std::string text_of(const Json& value, const char* field) {
  if (!value.is_string()) throw ApiError(400, "usage", fmt::format("{}: not a text", field), field);
  return value.get<std::string>();
}

std::int64_t job_in(const Request& request) {
  const auto id = job_number(request.places.at(0));
  if (!id) throw ApiError(404, "not_found", "there is no job " + request.places.at(0));
  return *id;
}

/// Jobs without the pictures that were deleted since.
void drop_deleted(Context& context, Json& jobs) {
  Json ids = Json::array();
  for (const Json& job : jobs)
    for (const Json& image : job.at("images")) ids.push_back(image.at("id"));
  if (ids.empty()) return;
  const std::set<std::int64_t> held = context.gallery.held(ids);
  for (Json& job : jobs) {
    auto& images = job.at("images").get_ref<Json::array_t&>();
    std::erase_if(images,
                  [&](const Json& i) { return !held.contains(i.at("id").get<std::int64_t>()); });
  }
}

Json one_job(Context& context, std::int64_t id) {
  Json jobs = Json::array({context.queue.get(id)});
  drop_deleted(context, jobs);
  return jobs[0];
}

Response list_jobs(Context& context, const Request& request) {
  std::vector<JobState> states;
  std::string_view names = request.query_text("state");
  while (!names.empty()) {
    const auto end = std::min(names.find(','), names.size());
    const auto state = state_called(names.substr(0, end));
    if (!state)
      throw ApiError(400, "usage", fmt::format("state: there is no \"{}\"", names.substr(0, end)),
                     "state");
    states.push_back(*state);
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  const auto limit = query_number(request, "limit", 50, 1, 1000);
  Json jobs = context.queue.list(states, static_cast<std::size_t>(limit));
  drop_deleted(context, jobs);
  return json_response(dump({{"jobs", std::move(jobs)}}));
}

Response change_job(Context& context, const Request& request) {
  const Json body = parse_object(request.body);
  const auto it = body.find("position");
  if (body.size() != 1 || it == body.end() || !it->is_number_integer())
    throw ApiError(400, "usage", "position: give {\"position\": 1}", "position");
  const auto id = job_in(request);
  context.queue.move(id, it->get<std::int64_t>());
  return json_response(dump(one_job(context, id)));
}

Response events(Context& context, const Request& request) {
  std::optional<std::int64_t> job;
  if (const std::string& name = request.query_text("job"); !name.empty()) {
    job = job_number(name);
    if (!job) throw ApiError(404, "not_found", "there is no job " + name);
    context.queue.get(*job);
  }
  Response response{.type = "text/event-stream"};
  response.headers.emplace_back("X-Accel-Buffering", "no");
  response.stream = context.events.subscribe(request.header("last-event-id"), job);
  return response;
}

Response plan(Context& context, const Request& request) {
  Submission s = native_submission(context, request.body);
  validate(params_from_json(dump(s.params)));
  const Json model = context.catalogue.find(s.model, context.model_in_use());
  const Frame answer = context.questions.ask(
      {{"what", "plan"}, {"model", model.at("path")}, {"params", std::move(s.params)}});
  return json_response(dump(answer.head.at("result")));
}

}  // namespace

Submission native_submission(Context& context, const std::string& body) {
  Submission s;
  const Json object = parse_object(body);
  for (const auto& [key, value] : object.items()) {
    if (value.is_null()) continue;
    if (key == "model") {
      s.model = text_of(value, "model");
    } else if (key == "init_image") {
      s.init = picture_of(context, value, "init_image");
    } else if (key == "mask_image") {
      s.mask = picture_of(context, value, "mask_image");
    } else if (key == "preview_every") {
      if (!value.is_number_integer() || value < 0 || value > kMaxPreviewEvery)
        throw ApiError(
            400, "usage",
            fmt::format("preview_every: give a whole number from 0 to {}", kMaxPreviewEvery),
            "preview_every");
      s.preview_every = value.get<int>();
    } else {
      s.params[key] = value;
    }
  }
  if (s.params.contains("prompts") && !text_at(s.params, "prompt").empty())
    throw ApiError(400, "usage", "prompts: give prompt or prompts, not both", "prompts");
  return s;
}

void add_job_routes(Router& router, Context& context) {
  Context* c = &context;
  const std::string jobs = "/api/v1/jobs", one = jobs + "/{}";
  router.add("POST", jobs, [c](const Request& r) {
    Json job = c->queue.submit(make_job(*c, native_submission(*c, r.body)));
    Response response = json_response(dump(job), 202);
    response.headers.emplace_back("Location", "/api/v1/jobs/" + text_at(job, "id"));
    return response;
  });
  router.add("GET", jobs, [c](const Request& r) { return list_jobs(*c, r); });
  router.add("DELETE", jobs, [c](const Request&) {
    c->queue.cancel_all();
    return Response{.status = 204, .type = ""};
  });
  router.add("GET", one,
             [c](const Request& r) { return json_response(dump(one_job(*c, job_in(r)))); });
  router.add("DELETE", one, [c](const Request& r) {
    c->queue.cancel(job_in(r));
    return Response{.status = 204, .type = ""};
  });
  router.add("PATCH", one, [c](const Request& r) { return change_job(*c, r); });
  router.add("POST", one + "/retry",
             [c](const Request& r) { return json_response(dump(c->queue.retry(job_in(r))), 202); });
  router.add("GET", "/api/v1/events", [c](const Request& r) { return events(*c, r); });
  router.add("POST", "/api/v1/plan", [c](const Request& r) { return plan(*c, r); });
}

}  // namespace mezzo::server
