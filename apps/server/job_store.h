// Jobs on disk: what is queued survives the end of the server, however it ends.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "server/job.h"
#include "server/sqlite.h"

namespace mezzo::server {

class JobStore {
 public:
  explicit JobStore(Database& db) : db_(db) {}

  /// All jobs by number; those that ran when the server ended are queued again.
  std::map<std::int64_t, Job> load();
  void add(const Job& job, const std::string& init, const std::string& mask);
  /// Everything of a job but its request and pictures.
  void update(const Job& job);
  void remove(std::int64_t id);
  /// The bytes of its init and mask picture; empty where it has none.
  std::pair<std::string, std::string> pictures(std::int64_t id);

 private:
  Database& db_;
};

}  // namespace mezzo::server
