#include "server/worker.h"

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <mutex>
#include <set>
#include <stop_token>
#include <thread>

#include <fmt/format.h>

#include "mezzotint/files.h"
#include "server/answers.h"
#include "server/frames.h"
#include "server/http.h"
#include "server/loaded_models.h"
#include "server/sandbox.h"

namespace mezzo::server {
namespace {

constexpr std::size_t kMaxPixels = std::size_t{16} << 20;  // of a picture that comes in
constexpr int kPreviewQuality = 85;                        // they are many, and soon replaced

std::string_view as_text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

Image inverted(Image mask) {
  for (auto& p : mask.pixels) p = static_cast<std::uint8_t>(255 - p);
  return mask;
}

/// Frames from the supervisor: cancelling takes effect at once, the rest waits its turn. When the
/// supervisor has gone, so does the process, whatever it is doing.
class Inbox {
 public:
  explicit Inbox(int fd) : fd_(fd), reader_([this] { read(); }) { reader_.detach(); }

  Frame next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !frames_.empty(); });
    Frame frame = std::move(frames_.front());
    frames_.pop_front();
    return frame;
  }
  std::stop_token begin(std::int64_t job) {
    const std::scoped_lock lock(mutex_);
    current_ = job;
    stop_ = {};
    if (cancelled_.erase(job) > 0) stop_.request_stop();
    return stop_.get_token();
  }
  void end() {
    const std::scoped_lock lock(mutex_);
    current_ = -1;
  }

 private:
  void read() {
    for (;;) {
      Frame frame;
      const Received got = receive_frame(fd_, frame, std::chrono::hours(1));
      if (got == Received::kEnd) ::_exit(0);
      if (got == Received::kNothing) continue;
      const std::scoped_lock lock(mutex_);
      if (text_at(frame.head, "do") == "cancel") {
        const auto job = static_cast<std::int64_t>(number_at(frame.head, "job", -1));
        if (job == current_)
          stop_.request_stop();
        else
          cancelled_.insert(job);
      } else {
        frames_.push_back(std::move(frame));
        changed_.notify_one();
      }
    }
  }

  int fd_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Frame> frames_;
  std::stop_source stop_;
  std::int64_t current_ = -1;
  std::set<std::int64_t> cancelled_;
  std::thread reader_;
};

class Worker {
 public:
  explicit Worker(int fd) : fd_(fd), inbox_(fd), settings_(inbox_.next().head) {
    ::prctl(PR_SET_NAME, text_at(settings_, "name", "mezzo-worker").c_str());  // for ps and top
    EngineOptions engine;
    engine.precision = text_at(settings_, "precision", "auto");
    engine.weights = text_at(settings_, "weights");
    engine.threads = static_cast<int>(number_at(settings_, "threads", 0));
    engine.max_ram = static_cast<std::uint64_t>(number_at(settings_, "max_ram", 0));
    engine.memory = text_at(settings_, "memory");
    engine.prompt_cache = text_at(settings_, "prompt_cache");
    engine.clip_l = text_at(settings_, "clip_l");
    engine.clip_g = text_at(settings_, "clip_g");
    engine.t5 = text_at(settings_, "t5");
    engine.no_t5 = flag_at(settings_, "no_t5", false);
    memory_limited_ = engine.max_ram == 0 || limit_memory(engine.max_ram);
    models_.emplace(engine);
    asking_ = {.engine = engine, .folders = {}};
    for (const Json& folder : settings_["folders"])
      asking_.folders.push_back(folder.get<std::string>());
    on_warning([this](std::string_view text) { send({{"is", "warning"}, {"text", text}}); });
  }

  [[noreturn]] void serve(std::vector<std::string> unprotected) {
    if (!memory_limited_) unprotected.emplace_back("its memory is not limited");
    send({{"is", "ready"}, {"unprotected", unprotected}});
    for (;;) {
      const Frame frame = inbox_.next();
      try {
        if (text_at(frame.head, "do") == "draw")
          draw(frame);
        else
          answer(frame);
      } catch (const std::bad_alloc&) {
        models_->clear();
        fail(std::current_exception());
      } catch (...) {
        fail(std::current_exception());
      }
      inbox_.end();
    }
  }

 private:
  void send(const Json& head, std::string_view body = {}) {
    const std::scoped_lock lock(sending_);
    try {
      send_frame(fd_, head, body);
    } catch (const DeviceError&) {
      ::_exit(0);  // the supervisor has gone
    }
  }

  void fail(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const Cancelled&) {
      send({{"is", "failed"}, {"code", "cancelled"}, {"message", "cancelled"}});
    } catch (...) {
      const ApiError e = as_api_error(error);
      send({{"is", "failed"},
            {"status", e.status},
            {"code", e.code},
            {"message", e.what()},
            {"field", e.field}});
    }
  }

  void answer(const Frame& frame) {
    Answer a = answer_question(asking_, frame);
    send({{"is", "answer"}, {"result", std::move(a.result)}}, a.body);
  }

  void tell_progress(const Progress& p) {
    if (p.preview != nullptr) {
      Picture preview;
      preview.image = *p.preview;
      send({{"is", "preview"}}, as_text(encode_picture(preview, preview_format_, kPreviewQuality)));
      return;
    }
    send({{"is", "progress"},
          {"progress",
           {{"phase", name_of(p.phase)},
            {"step", p.step},
            {"steps", p.steps},
            {"picture", p.picture},
            {"pictures", p.pictures},
            {"seconds_per_step", p.seconds_per_step},
            {"seconds_left", p.seconds_left}}}});
  }

  void draw(const Frame& frame) {
    const Json& head = frame.head;
    RunOptions run;
    run.stop = inbox_.begin(static_cast<std::int64_t>(number_at(head, "job", -1)));
    run.progress = [this](const Progress& p) { tell_progress(p); };
    run.preview_every = static_cast<int>(number_at(head, "preview_every", 0));
    GenerateParams params = params_from_json(dump(head.at("params")));
    load_pictures(frame, params);
    const std::string path = text_at(head, "model"), extension = text_at(head, "extension", ".png");
    const int quality = static_cast<int>(number_at(head, "quality", 92));
    preview_format_ = text_at(head, "preview_format", ".jpg");
    Engine& engine = models_->get(path, params, run);
    send({{"is", "loaded"}, {"models", models_->paths()}, {"family", engine.info().family}});
    engine.generate(params, run, [&](const Picture& picture) {
      send({{"is", "picture"},
            {"seed", picture.seed},
            {"width", picture.image.width},
            {"height", picture.image.height},
            {"prompt", picture.prompt},
            {"infotext", picture.infotext},
            {"recipe", picture.request},
            {"hash", engine.info().hash},
            {"seconds", picture.seconds}},
           as_text(encode_picture(picture, extension, quality)));
    });
    send({{"is", "done"}});
  }

  /// The request's pictures, in the frame's body one after the other.
  static void load_pictures(const Frame& frame, GenerateParams& params) {
    const Json& head = frame.head;
    const auto init = static_cast<std::size_t>(number_at(head, "init", 0));
    const auto mask = static_cast<std::size_t>(number_at(head, "mask", 0));
    const std::string_view body = frame.body;
    const bool transparent = flag_at(head, "mask_transparent", false);
    if (init > 0) {
      params.init = decode_picture(as_bytes(body.substr(0, init)), "init_image", kMaxPixels);
      if (flag_at(head, "mask_from_init", false) && has_transparency(*params.init))
        params.mask = normal_mask(*params.init, true);
    }
    if (mask > 0) {
      Image given = decode_picture(as_bytes(body.substr(init, mask)), "mask_image", kMaxPixels);
      params.mask = normal_mask(given, transparent);
      if (flag_at(head, "mask_fit", false) && params.init &&
          (given.width != params.init->width || given.height != params.init->height))
        params.mask = resize_picture(*params.mask, params.init->width, params.init->height);
      if (flag_at(head, "mask_invert", false)) params.mask = inverted(std::move(*params.mask));
      const auto is_kept = [](std::uint8_t v) { return v < 128; };
      if (flag_at(head, "mask_may_be_blank", false) &&
          std::ranges::all_of(params.mask->pixels, is_kept))
        params.mask.reset();  // A1111: the picture is drawn anew as a whole
    }
  }

  int fd_;
  std::mutex sending_;
  Inbox inbox_;
  Json settings_;
  bool memory_limited_ = true;
  std::string preview_format_;
  Asking asking_;
  std::optional<LoadedModels> models_;
};

}  // namespace

int worker_main(int fd) {
  // Descriptors of the supervisor that were not closed on exec: none is needed here.
  ::close_range(static_cast<unsigned>(fd) + 1, ~0u, 0);
  const sched_param usual = {};
  if (::sched_getscheduler(0) == SCHED_BATCH)  // as serve() has it
    ::sched_setscheduler(0, SCHED_OTHER, &usual);
  const auto unprotected = enter_sandbox();
  try {
    Worker worker(fd);
    worker.serve(unprotected);
  } catch (const std::exception& e) {
    std::fputs(fmt::format("mezzo worker: {}\n", e.what()).c_str(), stderr);
    return 1;
  }
}

}  // namespace mezzo::server
