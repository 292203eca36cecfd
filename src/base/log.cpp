#include "base/log.h"

#include <mutex>

namespace mezzo {
namespace {
struct Sink {
  std::mutex mutex;
  LogSink function;
};
Sink& sink() {
  static Sink s;
  return s;
}
}  // namespace

void set_log_sink(LogSink f) {
  std::lock_guard lock(sink().mutex);
  sink().function = std::move(f);
}

void log_message(LogLevel level, std::string_view text) {
  std::lock_guard lock(sink().mutex);
  if (sink().function) sink().function(level, text);
}

}  // namespace mezzo
