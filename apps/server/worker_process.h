// The supervisor's end of a worker: the program started again as `mezzo worker`, and the socket to
// it. Everything that reads models and pictures runs there; when it dies, the supervisor learns
// why.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <mutex>
#include <string>

#include "server/frames.h"

namespace mezzo::server {

class WorkerProcess {
 public:
  /// Starts it and sends `settings` as the first frame. Throws DeviceError.
  explicit WorkerProcess(const Json& settings);
  ~WorkerProcess();  // ends it
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  /// From any thread. Throws DeviceError when it has ended, UsageError for frames that are too
  /// large.
  void send(const Json& head, std::string_view body = {});
  Received receive(Frame& frame, std::chrono::milliseconds wait);
  void kill();
  pid_t pid() const { return pid_; }

  /// After kEnd: waits for its end, and tells why in words for people: what happened, and what to
  /// do.
  std::string cause_of_death();

 private:
  pid_t pid_ = -1;
  int fd_ = -1;
  bool reaped_ = false;
  std::mutex sending_;
};

}  // namespace mezzo::server
