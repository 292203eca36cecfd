// The thread that has the queue's jobs drawn: keeps one worker alive, hands it one job at a time,
// and passes on what it tells.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "server/gallery.h"
#include "server/queue.h"
#include "server/worker_process.h"

namespace mezzo::server {

class Drawer {
 public:
  /// settings: the worker's first frame.
  Drawer(Queue& queue, Gallery& gallery, Json settings);
  ~Drawer();

  /// starting, ready, loading, busy or down.
  std::string status() const;
  /// Paths of the models in memory, the last used first.
  std::vector<std::string> loaded() const;
  /// True once nothing runs and nothing more will: after Queue::drain().
  bool idle() const;

 private:
  void run(std::stop_token stop);
  bool start_worker(std::stop_token stop);
  void drop_worker();
  void draw(const Queue::Work& work);
  void give_up(std::int64_t job, const std::string& why);
  /// False when the job is over.
  bool handle(std::int64_t job, Frame& frame);
  void save_picture(std::int64_t job, Frame& frame);
  void set_status(const std::string& status);
  void cancel(std::int64_t job);

  Queue& queue_;
  Gallery& gallery_;
  Json settings_;
  mutable std::mutex mutex_;
  std::string status_ = "starting";
  std::vector<std::string> loaded_;
  std::shared_ptr<WorkerProcess> worker_;
  std::chrono::milliseconds pause_{0};  // before the next start
  Json failure_;                        // of a picture that could not be saved
  bool over_ = false;
  std::jthread thread_;
};

}  // namespace mezzo::server
