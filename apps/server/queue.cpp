#include "server/queue.h"

#include <algorithm>
#include <cstdio>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "mezzotint/errors.h"

namespace mezzo::server {
namespace {

constexpr std::size_t kMaxFinished = 500;   // that are remembered
constexpr std::size_t kToldPositions = 50;  // jobs in line whose place is told when it changes
constexpr int kMostKills = 2;
constexpr std::size_t kMaxWarnings = 20;

ApiError no_such_job(std::int64_t id) {
  return {404, "not_found", fmt::format("there is no job {}", job_name(id))};
}

ApiError wrong_state(const Job& job, std::string_view wish) {
  return {409, "conflict",
          fmt::format("{} is {} and cannot be {}", job_name(job.id), name_of(job.state), wish)};
}

Json poisoned(const std::string& cause) {
  return error_json("worker", cause + "; it was tried twice and will not be tried again");
}

}  // namespace

Queue::Queue(JobStore store, Events& events) : store_(std::move(store)), events_(events) {
  jobs_ = store_.load();
  for (auto& [id, job] : jobs_) {
    // The server ended between the death of a worker and the judgement about its job.
    if (job.state == JobState::kQueued && job.kills >= kMostKills)
      finish(job, JobState::kPoisoned, poisoned("the worker died"));
    next_id_ = std::max(next_id_, id + 1);
    last_rank_ = std::max(last_rank_, job.rank);
    first_rank_ = std::min(first_rank_, job.rank);
  }
}

Job& Queue::at(std::int64_t id) {
  const auto it = jobs_.find(id);
  if (it == jobs_.end()) throw no_such_job(id);
  return it->second;
}

const Job& Queue::at(std::int64_t id) const { return const_cast<Queue*>(this)->at(id); }

std::vector<Job*> Queue::waiting_in_order() {
  std::vector<Job*> waiting;
  for (auto& [id, job] : jobs_)
    if (job.state == JobState::kQueued) waiting.push_back(&job);
  std::stable_sort(waiting.begin(), waiting.end(),
                   [](const Job* a, const Job* b) { return a->rank < b->rank; });
  return waiting;
}

std::optional<std::int64_t> Queue::position_of(const Job& job) const {
  if (is_over(job.state)) return std::nullopt;
  if (job.state == JobState::kRunning) return 0;
  return 1 + std::count_if(jobs_.begin(), jobs_.end(), [&](const auto& row) {
           return row.second.state == JobState::kQueued && row.second.rank < job.rank;
         });
}

void Queue::tell(const Job& job) {
  events_.publish("job", job.id, dump(to_json(job, position_of(job))));
}

void Queue::tell_positions() {
  const auto waiting = waiting_in_order();
  for (std::size_t i = 0; i < std::min(waiting.size(), kToldPositions); ++i) tell(*waiting[i]);
}

/// A full disk does not stop the queue: what it holds in memory is right.
void Queue::save(const Job& job) {
  if (job.passing) return;
  try {
    store_.update(job);
  } catch (const DeviceError& e) {
    std::fputs(
        fmt::format("mezzo: {} is not written down: {}\n", job_name(job.id), e.what()).c_str(),
        stderr);
  }
}

Json Queue::submit(Job job) {
  const std::scoped_lock lock(mutex_);
  if (draining_)
    throw ApiError(503, "worker", "the server is ending; it takes jobs again when it is back");
  if (waiting_in_order().size() >= kMaxQueued)
    throw ApiError(429, "queue_full",
                   fmt::format("{} jobs are waiting, more are not taken; try again when some are "
                               "finished",
                               kMaxQueued));
  job.id = next_id_++;
  job.rank = ++last_rank_;
  job.created = time_text();
  if (!job.passing) {
    store_.add(job, job.init, job.mask);
    job.init.clear();
    job.mask.clear();
  }
  const auto it = jobs_.emplace(job.id, std::move(job)).first;
  forget_old();
  tell(it->second);
  changed_.notify_all();
  return to_json(it->second, position_of(it->second));
}

Json Queue::get(std::int64_t id) const {
  const std::scoped_lock lock(mutex_);
  const Job& job = at(id);
  return to_json(job, position_of(job));
}

Json Queue::list(const std::vector<JobState>& states, std::size_t limit) const {
  const std::scoped_lock lock(mutex_);
  std::vector<const Job*> found;
  for (auto it = jobs_.rbegin(); it != jobs_.rend() && found.size() < limit; ++it)
    if (states.empty() || std::find(states.begin(), states.end(), it->second.state) != states.end())
      found.push_back(&it->second);
  Json list = Json::array();
  for (auto it = found.rbegin(); it != found.rend(); ++it)
    list.push_back(to_json(**it, position_of(**it)));
  return list;
}

void Queue::cancel(std::int64_t id) {
  std::function<void(std::int64_t)> tell_worker;
  {
    const std::scoped_lock lock(mutex_);
    Job& job = at(id);
    if (is_over(job.state)) throw wrong_state(job, "cancelled");
    if (job.state == JobState::kQueued) {
      finish(job, JobState::kCancelled, nullptr);
      tell_positions();
      return;
    }
    job.cancelling = true;
    tell_worker = cancel_running_;
  }
  if (tell_worker) tell_worker(id);
}

void Queue::cancel_all() {
  std::vector<std::int64_t> running;
  std::function<void(std::int64_t)> tell_worker;
  {
    const std::scoped_lock lock(mutex_);
    for (Job* job : waiting_in_order()) finish(*job, JobState::kCancelled, nullptr);
    for (auto& [id, job] : jobs_)
      if (job.state == JobState::kRunning) {
        job.cancelling = true;
        running.push_back(id);
      }
    tell_worker = cancel_running_;
  }
  for (const std::int64_t id : running)
    if (tell_worker) tell_worker(id);
}

void Queue::move(std::int64_t id, std::int64_t position) {
  const std::scoped_lock lock(mutex_);
  Job& job = at(id);
  if (job.state != JobState::kQueued) throw wrong_state(job, "moved");
  auto waiting = waiting_in_order();
  if (position < 1 || position > static_cast<std::int64_t>(waiting.size()))
    throw ApiError(400, "usage",
                   fmt::format("position: {} is not from 1 to {}", position, waiting.size()),
                   "position");
  waiting.erase(std::find(waiting.begin(), waiting.end(), &job));
  waiting.insert(waiting.begin() + (position - 1), &job);
  // Ranks anew: they stay apart however often jobs are moved.
  double rank = waiting.front()->rank;
  for (const Job* j : waiting) rank = std::min(rank, j->rank);
  for (Job* j : waiting) {
    j->rank = rank++;
    save(*j);
  }
  last_rank_ = std::max(last_rank_, rank);
  tell_positions();
}

Json Queue::retry(std::int64_t id) {
  Job again;
  {
    const std::scoped_lock lock(mutex_);
    const Job& job = at(id);
    if (!is_over(job.state)) throw wrong_state(job, "tried again: it is not over");
    again.kind = job.kind;
    again.request = job.request;
    again.draw = job.draw;
    if (job.passing) throw wrong_state(job, "tried again: its client has gone");
    std::tie(again.init, again.mask) = store_.pictures(id);
  }
  return submit(std::move(again));
}

void Queue::drain() {
  const std::scoped_lock lock(mutex_);
  draining_ = true;
  changed_.notify_all();
}

std::optional<Queue::Work> Queue::next(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  for (;;) {
    std::vector<Job*> waiting;
    changed_.wait(lock, stop, [&] {
      waiting = waiting_in_order();
      return draining_ || !waiting.empty();
    });
    if (stop.stop_requested() || draining_ || waiting.empty()) return std::nullopt;
    Job& job = *waiting.front();
    job.state = JobState::kRunning;
    job.started = time_text();
    try {
      Work work{.id = job.id, .draw = job.draw, .init = job.init, .mask = job.mask};
      if (!job.passing) std::tie(work.init, work.mask) = store_.pictures(job.id);
      save(job);
      tell(job);
      tell_positions();
      return work;
    } catch (const std::exception& e) {  // its pictures cannot be read
      finish(job, JobState::kFailed, error_json("device", e.what()));
    }
  }
}

bool Queue::Pace::due(std::int64_t job) {
  const auto now = std::chrono::steady_clock::now();
  if (job == last_ && now < next_) return false;
  last_ = job;
  next_ = now + pause_;
  return true;
}

void Queue::progressed(std::int64_t id, Json progress) {
  const std::scoped_lock lock(mutex_);
  Job& job = at(id);
  const bool new_phase = text_at(job.progress, "phase") != text_at(progress, "phase");
  job.progress = std::move(progress);
  if (!steps_.due(id) && !new_phase) return;
  events_.publish("progress", id, dump(Json{{"id", job_name(id)}, {"progress", job.progress}}));
}

void Queue::previewed(std::int64_t id, const std::string& picture) {
  const std::scoped_lock lock(mutex_);
  Job& job = at(id);
  job.last_preview = base64(picture);
  if (job.on_preview) job.on_preview(picture);
  if (!previews_.due(id)) return;
  const char* type = picture.starts_with("\x89PNG") ? "png" : "jpeg";
  const std::string url =
      fmt::format("data:image/{};base64,{}", type, job.last_preview.get_ref<const std::string&>());
  events_.publish("preview", id, dump(Json{{"id", job_name(id)}, {"image", url}}), false);
}

void Queue::warned(std::int64_t id, const std::string& text) {
  const std::scoped_lock lock(mutex_);
  Job& job = at(id);
  const bool told = std::find(job.warnings.begin(), job.warnings.end(), text) != job.warnings.end();
  if (!told && job.warnings.size() < kMaxWarnings) job.warnings.push_back(text);
}

bool Queue::wants_saving(std::int64_t id) const {
  const std::scoped_lock lock(mutex_);
  return at(id).save;
}

void Queue::drew(std::int64_t id, Drawn picture, std::optional<Json> saved) {
  const std::scoped_lock lock(mutex_);
  Job& job = at(id);
  ++counts_.pictures;
  if (job.on_picture)
    job.on_picture(picture);
  else if (job.on_end)
    job.drawn.push_back(std::move(picture));
  if (!saved) return;
  job.images.push_back(*saved);
  save(job);
  events_.publish("image", id, dump(Json{{"id", job_name(id)}, {"image", *saved}}));
}

void Queue::finish(Job& job, JobState state, Json error) {
  job.state = state;
  job.error = std::move(error);
  job.finished = time_text();
  job.last_preview = nullptr;
  ++counts_.ended[std::string(name_of(state))];
  save(job);
  tell(job);
  job.on_preview = nullptr;
  job.on_picture = nullptr;
  if (const auto tell_end = std::exchange(job.on_end, nullptr)) tell_end(job);
  job.drawn.clear();
  job.init.clear();
  job.mask.clear();
}

void Queue::ended(std::int64_t id, JobState state, Json error) {
  const std::scoped_lock lock(mutex_);
  finish(at(id), state, std::move(error));
}

void Queue::count_kill(std::int64_t id) {
  const std::scoped_lock lock(mutex_);
  Job& job = at(id);
  ++job.kills;
  ++counts_.worker_deaths;
  save(job);
}

void Queue::killed(std::int64_t id, const std::string& cause) {
  const std::scoped_lock lock(mutex_);
  Job& job = at(id);
  if (job.cancelling) return finish(job, JobState::kCancelled, nullptr);
  if (job.kills >= kMostKills) return finish(job, JobState::kPoisoned, poisoned(cause));
  job.warnings.push_back(cause + "; it is tried once more");
  job.state = JobState::kQueued;
  job.rank = --first_rank_;
  for (const Job* j : waiting_in_order()) first_rank_ = std::min(first_rank_, j->rank);
  job.progress = nullptr;
  job.images = Json::array();
  job.drawn.clear();
  save(job);
  tell(job);
  changed_.notify_all();
}

bool Queue::is_cancelling(std::int64_t id) const {
  const std::scoped_lock lock(mutex_);
  return at(id).cancelling;
}

void Queue::on_cancel(std::function<void(std::int64_t)> tell) {
  const std::scoped_lock lock(mutex_);
  cancel_running_ = std::move(tell);
}

void Queue::forget_old() {
  std::size_t over = 0;
  for (const auto& [id, job] : jobs_) over += is_over(job.state) ? 1 : 0;
  for (auto it = jobs_.begin(); it != jobs_.end() && over > kMaxFinished;) {
    if (!is_over(it->second.state)) {
      ++it;
      continue;
    }
    if (!it->second.passing) store_.remove(it->first);
    it = jobs_.erase(it);
    --over;
  }
}

Queue::Counts Queue::counts() const {
  const std::scoped_lock lock(mutex_);
  Counts counts = counts_;
  for (const auto& [id, job] : jobs_) {
    counts.queued += job.state == JobState::kQueued ? 1 : 0;
    counts.running += job.state == JobState::kRunning ? 1 : 0;
  }
  return counts;
}

std::optional<Queue::Running> Queue::running() const {
  const std::scoped_lock lock(mutex_);
  for (const auto& [id, job] : jobs_)
    if (job.state == JobState::kRunning)
      return Running{.id = id,
                     .progress = job.progress,
                     .last_preview = job.last_preview,
                     .passing = job.passing,
                     .cancelling = job.cancelling};
  return std::nullopt;
}

}  // namespace mezzo::server
