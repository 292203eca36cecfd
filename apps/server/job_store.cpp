#include "server/job_store.h"

namespace mezzo::server {
namespace {

Json parsed(const std::string& text, Json otherwise) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_discarded() ? otherwise : json;
}

}  // namespace

std::map<std::int64_t, Job> JobStore::load() {
  const auto lock = db_.lock();
  Statement s(db_,
              "SELECT id, rank, state, kind, created, started, finished, request, draw, images, "
              "warnings, error, kills FROM jobs");
  std::map<std::int64_t, Job> jobs;
  while (s.step()) {
    Job job;
    job.id = s.integer(0);
    job.rank = s.number(1);
    job.state = state_called(s.text(2)).value_or(JobState::kFailed);
    job.kind = s.text(3);
    job.created = s.text(4);
    job.started = s.text(5);
    job.finished = s.text(6);
    job.request = parsed(s.text(7), Json::object());
    job.draw = parsed(s.text(8), Json::object());
    job.images = parsed(s.text(9), Json::array());
    job.warnings = parsed(s.text(10), Json::array());
    job.error = parsed(s.text(11), Json());
    job.kills = static_cast<int>(s.integer(12));
    if (job.state == JobState::kRunning) {  // the server died of something: all of it once more
      job.state = JobState::kQueued;
      job.images = Json::array();
    }
    jobs.emplace(job.id, std::move(job));
  }
  return jobs;
}

void JobStore::add(const Job& job, const std::string& init, const std::string& mask) {
  const auto lock = db_.lock();
  Statement s(db_, "INSERT INTO jobs VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  s.bind(job.id).bind(job.rank).bind(name_of(job.state)).bind(job.kind).bind(job.created);
  s.bind(job.started).bind(job.finished).bind(dump(job.request)).bind(dump(job.draw));
  init.empty() ? s.bind_null() : s.bind_blob(init);
  mask.empty() ? s.bind_null() : s.bind_blob(mask);
  s.bind(dump(job.images)).bind(dump(job.warnings)).bind(dump(job.error));
  s.bind(std::int64_t{job.kills}).run();
}

void JobStore::update(const Job& job) {
  const auto lock = db_.lock();
  Statement s(db_,
              "UPDATE jobs SET rank=?, state=?, started=?, finished=?, images=?, warnings=?, "
              "error=?, kills=? WHERE id=?");
  s.bind(job.rank).bind(name_of(job.state)).bind(job.started).bind(job.finished);
  s.bind(dump(job.images)).bind(dump(job.warnings)).bind(dump(job.error));
  s.bind(std::int64_t{job.kills}).bind(job.id).run();
}

void JobStore::remove(std::int64_t id) {
  const auto lock = db_.lock();
  Statement(db_, "DELETE FROM jobs WHERE id=?").bind(id).run();
}

std::pair<std::string, std::string> JobStore::pictures(std::int64_t id) {
  const auto lock = db_.lock();
  Statement s(db_, "SELECT init, mask FROM jobs WHERE id=?");
  s.bind(id);
  if (!s.step()) return {};
  return {s.text(0), s.text(1)};
}

}  // namespace mezzo::server
