#include "run.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "mezzotint/files.h"

namespace mezzo::python {
namespace {

constexpr auto kSignalsEvery = std::chrono::milliseconds(50);
constexpr std::size_t kMostWarnings = 100;

std::mutex warnings_mutex;
std::deque<std::string> warnings;  // that nobody was told yet

void tell_warnings() {
  std::deque<std::string> all;
  {
    const std::scoped_lock lock(warnings_mutex);
    all.swap(warnings);
  }
  for (const auto& text : all)
    if (PyErr_WarnEx(PyExc_UserWarning, text.c_str(), 2) != 0) throw py::error_already_set();
}

/// A report with its own copy of the preview, for another thread.
struct Report {
  Progress progress;
  std::optional<Image> preview;
};

/// What both threads share.
class Mailbox {
 public:
  void put(const Progress& p) {
    Report report{p, std::nullopt};
    if (p.preview) report.preview = *p.preview;
    const std::scoped_lock lock(mutex_);
    reports_.push_back(std::move(report));
    changed_.notify_one();
  }
  void finish(std::exception_ptr error) {
    const std::scoped_lock lock(mutex_);
    error_ = std::move(error);
    finished_ = true;
    changed_.notify_one();
  }
  /// Reports since the last call; waits a little for the first. True when the work has ended.
  bool take(std::deque<Report>& out) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kSignalsEvery, [&] { return finished_ || !reports_.empty(); });
    out.swap(reports_);
    return finished_;
  }
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Report> reports_;
  bool finished_ = false;
  std::exception_ptr error_;
};

py::dict to_python(const Report& report) {
  const Progress& p = report.progress;
  py::dict d;
  d["phase"] = name_of(p.phase);
  d["step"] = p.step;
  d["steps"] = p.steps;
  d["picture"] = p.picture;
  d["pictures"] = p.pictures;
  d["seconds_per_step"] = p.seconds_per_step;
  d["seconds_left"] = p.seconds_left;
  d["preview"] =
      report.preview ? py::object(python::to_python(*report.preview)) : py::object(py::none());
  return d;
}

}  // namespace

void keep_warnings() {
  on_warning([](std::string_view text) {
    const std::scoped_lock lock(warnings_mutex);
    if (warnings.size() < kMostWarnings) warnings.emplace_back(text);
  });
}

void run(const py::object& progress, int preview_every,
         const std::function<void(const RunOptions&)>& work) {
  Mailbox mailbox;
  std::stop_source stop;
  RunOptions options;
  options.stop = stop.get_token();
  options.preview_every = preview_every;
  options.progress = [&](const Progress& p) { mailbox.put(p); };
  std::jthread worker([&] {
    try {
      work(options);
      mailbox.finish(nullptr);
    } catch (...) {
      mailbox.finish(std::current_exception());
    }
  });
  try {
    for (bool finished = false; !finished;) {
      std::deque<Report> reports;
      {
        const py::gil_scoped_release released;
        finished = mailbox.take(reports);
      }
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      tell_warnings();
      if (!progress.is_none())
        for (const Report& report : reports) progress(to_python(report));
    }
  } catch (...) {
    stop.request_stop();
    const py::gil_scoped_release released;
    worker.join();
    throw;
  }
  mailbox.rethrow();
}

}  // namespace mezzo::python
