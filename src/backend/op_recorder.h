// One object at the start of every operation: refuses to begin when the caller has cancelled, and
// writes the OpRecord.
#pragma once

#include <chrono>
#include <utility>

#include "backend/backend.h"
#include "backend/work.h"

namespace mezzo {

class OpRecorder {
 public:
  /// `work` makes the OpWork of this call; it is only called when a log is set.
  template <class Work>
  OpRecorder(const Backend& backend, Work&& work) : log_(backend.log()) {
    if (backend.stop().stop_requested()) fail<Cancelled>("cancelled");
    if (!log_) return;
    work::OpWork w = work();
    record_ = {std::move(w.name), std::move(w.shape), w.flops, w.bytes, 0};
    start_ = Clock::now();
  }
  ~OpRecorder() {
    if (!log_) return;
    if (record_.seconds == 0)
      record_.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    try {
      log_->records.push_back(std::move(record_));
    } catch (const std::bad_alloc&) {  // a profile without one line is better than a dead process
    }
  }
  OpRecorder(const OpRecorder&) = delete;
  OpRecorder& operator=(const OpRecorder&) = delete;

  bool active() const { return log_ != nullptr; }
  const OpRecord& record() const { return record_; }
  /// What the operation was expected to take; `instead`: of the time that is measured.
  void set_predicted(double seconds, bool instead) {
    record_.predicted = seconds;
    if (instead) record_.seconds = seconds;
  }
  void set_algorithm(std::string_view name, double flops) {
    record_.algorithm = name;
    work_ = flops;
  }
  /// Operations that the algorithm takes the time of, where they are not those of the definition.
  double work() const { return work_ > 0 ? work_ : static_cast<double>(record_.flops); }

 private:
  using Clock = std::chrono::steady_clock;
  OpLog* log_;
  OpRecord record_;
  double work_ = 0;
  Clock::time_point start_;
};

}  // namespace mezzo
