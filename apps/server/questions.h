// Questions about files (lists of models, plans, uploaded pictures), answered by a second worker:
// they need not wait for the picture that is being drawn, and cannot hurt the supervisor.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/worker_process.h"

namespace mezzo::server {

class Questions {
 public:
  explicit Questions(Json settings) : settings_(std::move(settings)) {}

  /// Waits its turn and then for the answer. Throws ApiError: what the worker says is wrong, that
  /// it died, or that too many are waiting (503): each of them takes a thread that answers
  /// requests.
  Frame ask(Json question, std::string_view body = {});

 private:
  std::atomic<int> asking_ = 0;
  std::mutex mutex_;
  Json settings_;
  std::unique_ptr<WorkerProcess> worker_;
};

/// The models that can be used, by name: clients never name files.
class Catalogue {
 public:
  explicit Catalogue(Questions& questions) : questions_(questions) {}

  /// As GET /api/v1/models has them, and with "path". Read again when older than ten seconds.
  Json list(bool fresh = false);
  /// The model with this name ("" for `otherwise`, a path, else the shipped or first one). Throws
  /// ApiError naming the field `model`.
  Json find(const std::string& name, const std::string& otherwise);

 private:
  Questions& questions_;
  std::mutex mutex_;
  Json models_ = Json::array();
  std::chrono::steady_clock::time_point read_{};
};

}  // namespace mezzo::server
