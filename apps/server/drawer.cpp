#include "server/drawer.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "mezzotint/errors.h"
#include "server/http.h"

namespace mezzo::server {
namespace {

using Milliseconds = std::chrono::milliseconds;
constexpr Milliseconds kFirstPause{200}, kLongestPause{30'000};
constexpr Milliseconds kTick{250};
constexpr auto kToStart = std::chrono::seconds(60);
constexpr auto kToCancel = std::chrono::seconds(20);  // then the worker is ended

void log(const std::string& text) { std::fputs(("mezzo: " + text + "\n").c_str(), stderr); }

}  // namespace

Drawer::Drawer(Queue& queue, Gallery& gallery, Json settings)
    : queue_(queue), gallery_(gallery), settings_(std::move(settings)) {
  queue_.on_cancel([this](std::int64_t job) { cancel(job); });
  thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
}

Drawer::~Drawer() {
  queue_.on_cancel(nullptr);
  thread_.request_stop();
  {
    const std::scoped_lock lock(mutex_);
    if (worker_) worker_->kill();
  }
  thread_.join();
}

std::string Drawer::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

std::vector<std::string> Drawer::loaded() const {
  const std::scoped_lock lock(mutex_);
  return loaded_;
}

bool Drawer::idle() const {
  const std::scoped_lock lock(mutex_);
  return over_;
}

void Drawer::set_status(const std::string& status) {
  const std::scoped_lock lock(mutex_);
  status_ = status;
}

void Drawer::cancel(std::int64_t job) {
  std::shared_ptr<WorkerProcess> worker;
  {
    const std::scoped_lock lock(mutex_);
    worker = worker_;
  }
  if (!worker) return;
  try {
    worker->send({{"do", "cancel"}, {"job", job}});
  } catch (const DeviceError&) {  // it has died: the drawing thread sees that too
  }
}

bool Drawer::start_worker(std::stop_token stop) {
  while (!stop.stop_requested()) {
    std::this_thread::sleep_for(pause_);
    pause_ = std::clamp(pause_ * 2, kFirstPause, kLongestPause);
    try {
      auto worker = std::make_shared<WorkerProcess>(settings_);
      Frame frame;
      if (worker->receive(frame, kToStart) == Received::kFrame &&
          text_at(frame.head, "is") == "ready") {
        for (const Json& what : frame.head["unprotected"])
          log("the worker is less protected than it should be: " + what.get<std::string>());
        const std::scoped_lock lock(mutex_);
        worker_ = std::move(worker);
        loaded_.clear();
        status_ = "ready";
        return true;
      }
      log(worker->cause_of_death());
    } catch (const DeviceError& e) {
      log(e.what());
    }
    set_status("down");
  }
  return false;
}

void Drawer::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (!worker_ && !start_worker(stop)) break;
    const auto work = queue_.next(stop);
    if (!work) break;
    Frame frame;
    if (worker_->receive(frame, Milliseconds(0)) == Received::kEnd) {  // it died while it waited
      log(worker_->cause_of_death());
      pause_ = Milliseconds(0);
      if (!start_worker(stop)) break;
    }
    set_status("busy");
    try {
      draw(*work);
    } catch (const std::exception& e) {
      log(fmt::format("{}: {}", job_name(work->id), e.what()));
      give_up(work->id, e.what());
    }
    if (worker_) set_status("ready");
  }
  const std::scoped_lock lock(mutex_);
  over_ = true;
}

void Drawer::drop_worker() {
  const std::scoped_lock lock(mutex_);
  worker_.reset();
  loaded_.clear();
  status_ = "down";
}

/// The worker may be drawing the job still: what it tells would be taken for the next one's.
void Drawer::give_up(std::int64_t job, const std::string& why) {
  drop_worker();
  try {
    queue_.ended(job, JobState::kFailed, error_json("internal", why));
  } catch (const std::exception&) {  // it was forgotten meanwhile
  }
}

void Drawer::draw(const Queue::Work& work) {
  failure_ = nullptr;
  Json head = work.draw;
  head["do"] = "draw";
  head["job"] = work.id;
  head["init"] = work.init.size();
  head["mask"] = work.mask.size();
  try {
    worker_->send(head, work.init + work.mask);
  } catch (const DeviceError&) {  // receive() tells
  } catch (const UsageError& e) {
    queue_.ended(work.id, JobState::kFailed, error_json("usage", e.what()));
    return;
  }
  if (queue_.is_cancelling(work.id)) cancel(work.id);  // asked for before the worker knew the job
  std::chrono::steady_clock::time_point cancelled_at{};
  for (;;) {
    Frame frame;
    const Received got = worker_->receive(frame, kTick);
    if (got == Received::kFrame) {
      if (!handle(work.id, frame)) return;
      pause_ = Milliseconds(0);  // it works
      continue;
    }
    if (got == Received::kEnd) {
      const bool ending = thread_.get_stop_token().stop_requested();  // then we ended it ourselves
      if (!ending) queue_.count_kill(work.id);
      const std::string cause = worker_->cause_of_death();
      log(fmt::format("{}: {}", job_name(work.id), cause));
      drop_worker();
      if (!ending) queue_.killed(work.id, cause);
      return;
    }
    const auto now = std::chrono::steady_clock::now();
    if (!queue_.is_cancelling(work.id)) continue;
    if (cancelled_at == std::chrono::steady_clock::time_point{}) cancelled_at = now;
    if (now - cancelled_at > kToCancel) worker_->kill();
  }
}

void Drawer::save_picture(std::int64_t job, Frame& frame) {
  Drawn drawn{.png = std::move(frame.body), .head = std::move(frame.head)};
  std::optional<Json> saved;
  try {
    if (queue_.wants_saving(job)) saved = gallery_.add(drawn);
  } catch (const std::exception& e) {
    failure_ = error_json("device", e.what());
    cancel(job);
    return;
  }
  queue_.drew(job, std::move(drawn), std::move(saved));
}

bool Drawer::handle(std::int64_t job, Frame& frame) {
  const std::string is = text_at(frame.head, "is");
  if (is == "progress") {
    const bool loading = text_at(frame.head["progress"], "phase") == "load";
    set_status(loading ? "loading" : "busy");
    queue_.progressed(job, std::move(frame.head["progress"]));
  } else if (is == "preview") {
    queue_.previewed(job, frame.body);
  } else if (is == "picture") {
    save_picture(job, frame);
  } else if (is == "warning") {
    queue_.warned(job, text_at(frame.head, "text"));
  } else if (is == "loaded") {
    const std::scoped_lock lock(mutex_);
    loaded_.clear();
    for (const Json& path : frame.head["models"]) loaded_.push_back(path.get<std::string>());
  } else if (is == "done" || is == "failed") {
    const std::string code = text_at(frame.head, "code");
    if (!failure_.is_null())
      queue_.ended(job, JobState::kFailed, failure_);
    else if (is == "done")
      queue_.ended(job, JobState::kCompleted, nullptr);
    else if (code == "cancelled")
      queue_.ended(job, JobState::kCancelled, nullptr);
    else
      queue_.ended(job, JobState::kFailed,
                   error_json(code, text_at(frame.head, "message"), text_at(frame.head, "field")));
    return false;
  }
  return true;
}

}  // namespace mezzo::server
