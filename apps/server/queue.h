// The queue: every job from its request to its end, in order, on disk, with an event for every
// change. Threads of the HTTP side and the one that draws meet here.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "server/events.h"
#include "server/job.h"
#include "server/job_store.h"

namespace mezzo::server {

class Queue {
 public:
  static constexpr std::size_t kMaxQueued = 512;
  /// Between two events of a job with previews, and with steps of the same phase.
  static constexpr std::chrono::milliseconds kPreviewPause{500}, kStepPause{150};

  Queue(JobStore store, Events& events);

  // --- for the routes; an unknown job is ApiError 404, a wrong state 409, a full queue 429 ---
  /// A job with kind, request, draw, init, mask (and passing, save, on_end); returns it as JSON.
  Json submit(Job job);
  Json get(std::int64_t id) const;
  /// The oldest first, at most `limit` of the newest. states: empty for all.
  Json list(const std::vector<JobState>& states, std::size_t limit) const;
  void cancel(std::int64_t id);
  void cancel_all();
  void move(std::int64_t id, std::int64_t position);
  Json retry(std::int64_t id);
  /// No more jobs are taken (503).
  void drain();

  // --- for the thread that draws ---
  struct Work {
    std::int64_t id = 0;
    Json draw;
    std::string init, mask;
  };
  /// Waits for a job to run and marks it so; nullopt once stopped, or when draining.
  std::optional<Work> next(std::stop_token stop);
  void progressed(std::int64_t id, Json progress);
  /// picture: a JPEG, or a PNG for clients that know nothing else.
  void previewed(std::int64_t id, const std::string& picture);
  void warned(std::int64_t id, const std::string& text);
  /// saved: the picture as a job shows it, where it is in the gallery.
  void drew(std::int64_t id, Drawn picture, std::optional<Json> saved);
  /// For a job whose pictures are saved. A job that is gone: false.
  bool wants_saving(std::int64_t id) const;
  void ended(std::int64_t id, JobState state, Json error);
  /// The worker died while it ran. Written down at once: finding out why takes a while, in which
  /// the server may be ended, too.
  void count_kill(std::int64_t id);
  /// What follows from that: once more from the front, the second time it is poisoned.
  void killed(std::int64_t id, const std::string& cause);
  bool is_cancelling(std::int64_t id) const;
  /// Called with a running job that shall stop.
  void on_cancel(std::function<void(std::int64_t)> tell);

  // --- for health, metrics and A1111's progress ---
  struct Counts {
    std::size_t queued = 0, running = 0;
    std::map<std::string, std::uint64_t> ended;  // by state, since the start
    std::uint64_t pictures = 0, worker_deaths = 0;
  };
  Counts counts() const;
  struct Running {
    std::int64_t id = 0;
    Json progress, last_preview;  // null where there is none yet
    bool passing = false, cancelling = false;
  };
  std::optional<Running> running() const;

 private:
  /// A small model makes many steps and previews in a second, and each event goes to every page
  /// that is open: of one job there is one in so much time.
  class Pace {
   public:
    explicit Pace(std::chrono::milliseconds pause) : pause_(pause) {}
    bool due(std::int64_t job);

   private:
    std::chrono::milliseconds pause_;
    std::int64_t last_ = 0;
    std::chrono::steady_clock::time_point next_;
  };

  Job& at(std::int64_t id);
  const Job& at(std::int64_t id) const;
  std::vector<Job*> waiting_in_order();
  std::optional<std::int64_t> position_of(const Job& job) const;
  void tell(const Job& job);
  void tell_positions();
  void save(const Job& job);
  void finish(Job& job, JobState state, Json error);
  void forget_old();

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  JobStore store_;
  Events& events_;
  std::map<std::int64_t, Job> jobs_;
  std::int64_t next_id_ = 1;
  double last_rank_ = 0, first_rank_ = 0;
  bool draining_ = false;
  Pace previews_{kPreviewPause}, steps_{kStepPause};
  std::function<void(std::int64_t)> cancel_running_;
  Counts counts_;
};

}  // namespace mezzo::server
