// Server-sent events: the last 1000 are kept, so that a client which lost its connection goes on
// where it was (Last-Event-ID, as the HTML standard has it).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/http.h"

namespace mezzo::server {

class Events {
 public:
  Events();

  /// data: one line of JSON. An event that is not kept (a preview) has no id. job: whom it is
  /// about.
  void publish(const std::string& event, std::int64_t job, const std::string& data,
               bool keep = true);
  /// From now on, after what was missed since `last_id` ("" for none). job: only about this one.
  std::shared_ptr<Stream> subscribe(const std::string& last_id, std::optional<std::int64_t> job);
  /// Streams end.
  void close();
  std::size_t listeners() const;

 private:
  struct Event {
    std::uint64_t number;
    std::int64_t job;
    std::string text;  // as it goes over the wire
  };
  struct Listener {
    std::weak_ptr<Stream> stream;
    std::optional<std::int64_t> job;
  };

  mutable std::mutex mutex_;
  std::string epoch_;  // numbers begin again with every start of the server
  std::uint64_t next_ = 1;
  std::deque<Event> kept_;
  std::size_t kept_bytes_ = 0;
  std::vector<Listener> listeners_;
};

}  // namespace mezzo::server
