#include "server/questions.h"

#include "mezzotint/errors.h"
#include "server/http.h"

namespace mezzo::server {
namespace {
constexpr auto kLongest = std::chrono::seconds(60);
constexpr int kMostAsking = 16;  // fewer than there are threads that answer requests
constexpr auto kFreshFor = std::chrono::seconds(10);
}  // namespace

Frame Questions::ask(Json question, std::string_view body) {
  const std::shared_ptr<void> done(nullptr, [this](void*) { --asking_; });
  if (++asking_ > kMostAsking)
    throw ApiError(503, "worker", "too many files are being read at once; try again");
  const std::scoped_lock lock(mutex_);
  question["do"] = "ask";
  Frame frame;
  if (worker_ && worker_->receive(frame, std::chrono::milliseconds(0)) != Received::kNothing)
    worker_.reset();
  if (!worker_) worker_ = std::make_unique<WorkerProcess>(settings_);
  try {
    worker_->send(question, body);
  } catch (const DeviceError&) {  // receive() tells
  }
  for (;;) {
    const Received got = worker_->receive(frame, kLongest);
    if (got != Received::kFrame) {
      if (got == Received::kNothing) worker_->kill();
      const std::string cause = got == Received::kNothing
                                    ? "reading the file took longer than a minute and was ended"
                                    : worker_->cause_of_death();
      worker_.reset();
      throw ApiError(503, "worker", cause);
    }
    const std::string is = text_at(frame.head, "is");
    if (is == "answer") return frame;
    if (is == "failed")
      throw ApiError(static_cast<int>(number_at(frame.head, "status", 500)),
                     text_at(frame.head, "code", "internal"), text_at(frame.head, "message"),
                     text_at(frame.head, "field"));
  }
}

Json Catalogue::list(bool fresh) {
  const std::scoped_lock lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (fresh || read_ == std::chrono::steady_clock::time_point{} || now - read_ > kFreshFor) {
    models_ = questions_.ask({{"what", "models"}}).head.at("result").at("models");
    read_ = now;
  }
  return models_;
}

Json Catalogue::find(const std::string& name, const std::string& otherwise) {
  for (const bool fresh : {false, true}) {  // a file may have been added since
    const Json models = list(fresh);
    Json first;
    for (const Json& m : models) {
      if (name.empty() ? text_at(m, "path") == otherwise : text_at(m, "name") == name) {
        if (const std::string error = text_at(m, "error"); !error.empty())
          throw ApiError(422, "model", text_at(m, "name") + ": " + error, "model");
        return m;
      }
      if (first.is_null() && text_at(m, "error").empty()) first = m;
    }
    if (name.empty() && !first.is_null()) return first;
  }
  throw ApiError(400, "usage",
                 name.empty()
                     ? "model: there is none; put one into a folder of --models-dir"
                     : "model: there is no \"" + name + "\"; GET /api/v1/models lists them",
                 "model");
}

}  // namespace mezzo::server
