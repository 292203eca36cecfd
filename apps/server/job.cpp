#include "server/job.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <utility>

#include <fmt/format.h>

namespace mezzo::server {
namespace {

constexpr std::array<std::pair<JobState, std::string_view>, 6> kStates = {{
    {JobState::kQueued, "queued"},
    {JobState::kRunning, "running"},
    {JobState::kCompleted, "completed"},
    {JobState::kFailed, "failed"},
    {JobState::kCancelled, "cancelled"},
    {JobState::kPoisoned, "poisoned"},
}};

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

}  // namespace

std::string_view name_of(JobState state) {
  return std::find_if(kStates.begin(), kStates.end(),
                      [&](const auto& row) { return row.first == state; })
      ->second;
}

std::optional<JobState> state_called(std::string_view name) {
  for (const auto& [state, text] : kStates)
    if (text == name) return state;
  return std::nullopt;
}

std::string job_name(std::int64_t id) { return fmt::format("j-{:06}", id); }

std::optional<std::int64_t> job_number(std::string_view name) {
  if (!name.starts_with("j-")) return std::nullopt;
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(name.data() + 2, name.data() + name.size(), id);
  if (error != std::errc() || end != name.data() + name.size() || id <= 0) return std::nullopt;
  return id;
}

Json error_json(const std::string& code, const std::string& message, const std::string& field) {
  Json error = {{"code", code}, {"message", message}};
  if (!field.empty()) error["field"] = field;
  return error;
}

Json to_json(const Job& job, std::optional<std::int64_t> position) {
  return {{"id", job_name(job.id)},
          {"kind", job.kind},
          {"state", name_of(job.state)},
          {"position", position ? Json(*position) : Json()},
          {"created", job.created},
          {"started", text_or_null(job.started)},
          {"finished", text_or_null(job.finished)},
          {"request", job.request},
          {"progress", job.progress},
          {"images", job.images},
          {"warnings", job.warnings},
          {"error", job.error}};
}

std::string time_text() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", text.data(), milliseconds);
}

}  // namespace mezzo::server
