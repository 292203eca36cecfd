// A job: a request on its way through the queue.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/json.h"

namespace mezzo::server {

enum class JobState { kQueued, kRunning, kCompleted, kFailed, kCancelled, kPoisoned };
std::string_view name_of(JobState state);
std::optional<JobState> state_called(std::string_view name);
inline bool is_over(JobState s) { return s != JobState::kQueued && s != JobState::kRunning; }

/// A picture as the worker sent it.
struct Drawn {
  std::string png;
  Json head;  // seed, width, height, prompt, infotext, recipe, hash
};

struct Job {
  std::int64_t id = 0;
  double rank = 0;  // the queue's order
  JobState state = JobState::kQueued;
  std::string kind;  // text, image, inpaint
  std::string created, started, finished;
  Json request = Json::object();  // as it is shown: without the bytes of pictures
  Json draw = Json::object();     // for the worker: model (a path), params, preview_every ...
  Json progress, error;           // null where there is none
  Json images = Json::array(), warnings = Json::array();
  int kills = 0;  // workers that died of it
  bool cancelling = false;
  std::string cancel_reason = {};

  /// Not kept over a restart, and its pictures not in the gallery: its client waits for them.
  bool passing = false;
  bool save = true;                  // pictures go to the gallery
  std::string init = {}, mask = {};  // of a passing job; others have theirs in the database
  std::vector<Drawn> drawn = {};     // of a job whose client waits
  std::function<void(const std::string& png)> on_preview = {};
  std::function<void(const Drawn&)> on_picture = {};  // then `drawn` stays empty
  std::function<void(const Job&)> on_end = {};
  Json last_preview = {};  // base64 of the last preview
};

/// "j-000012", and back; nullopt for anything else.
std::string job_name(std::int64_t id);
std::optional<std::int64_t> job_number(std::string_view name);

/// As docs/http_api.md shows it. position: 0 runs, 1 is next; nullopt: over.
Json to_json(const Job& job, std::optional<std::int64_t> position);
/// Why a job failed.
Json error_json(const std::string& code, const std::string& message, const std::string& field = "");

/// Now, in UTC: "2026-11-21T15:04:05.123Z".
std::string time_text();

}  // namespace mezzo::server
