#include "server/compat.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace mezzo::server {

ApiError error_of(const Job& job) {
  if (job.state == JobState::kCancelled) return {409, "cancelled", "the job was cancelled"};
  const std::string code = text_at(job.error, "code", "internal");
  const int status = code == "usage" ? 400 : code == "model" ? 422 : code == "internal" ? 500 : 503;
  return {status, code, text_at(job.error, "message"), text_at(job.error, "field")};
}

void cancel_quietly(Queue& queue, std::int64_t id) {
  try {
    queue.cancel(id);
  } catch (const ApiError&) {  // over meanwhile
  }
}

Response wait_for_job(Context& context, Submission submission, bool save,
                      std::function<Response(const Job&)> answer,
                      std::function<Response(const ApiError&)> refuse) {
  Job job = make_job(context, std::move(submission));
  job.passing = true;
  job.draw["preview_format"] = ".png";
  job.save = save;
  auto later = std::make_shared<Later>();
  job.on_end = [later, answer = std::move(answer), refuse](const Job& over) {
    auto ended = std::make_shared<Job>(over);
    ended->on_end = nullptr;
    later->answer([ended, answer, refuse] {
      try {
        return ended->state == JobState::kCompleted ||
                       (ended->state == JobState::kCancelled && !ended->drawn.empty())
                   ? answer(*ended)
                   : refuse(error_of(*ended));
      } catch (...) {
        return refuse(as_api_error(std::current_exception()));
      }
    });
  };
  const auto id = job_number(text_at(context.queue.submit(std::move(job)), "id")).value();
  Queue* queue = &context.queue;
  if (!save)  // else its pictures are found in the gallery
    later->on_abandoned([queue, id] { cancel_quietly(*queue, id); });
  return {.later = later};
}

std::string model_called(Context& context, std::string name) {
  if (const auto bracket = name.find(" ["); bracket != name.npos) name.resize(bracket);
  for (const Json& m : context.catalogue.list()) {
    const std::string own = text_at(m, "name");
    const std::filesystem::path path(text_at(m, "path"));
    if (own == name || path.filename() == name || path.stem() == name) return own;
  }
  return "";
}

std::optional<double> loose_number(const Json& body, std::string_view key) {
  const auto it = body.find(key);
  if (it == body.end()) return std::nullopt;
  if (it->is_number()) return it->get<double>();
  if (!it->is_string()) return std::nullopt;
  const std::string text = it->get<std::string>();
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  const bool is_number = end != text.c_str() && *end == '\0' && std::isfinite(number);
  return is_number ? std::optional(number) : std::nullopt;
}

std::int64_t whole(double number) {
  return static_cast<std::int64_t>(std::clamp(number, -1e18, 1e18));
}

}  // namespace mezzo::server
