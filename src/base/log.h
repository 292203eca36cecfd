// Messages from the library to whoever embeds it. The library itself never prints.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace mezzo {

enum class LogLevel { kDebug, kInfo, kWarning };

/// Receives every message; replaces the sink set before. An empty function drops the messages (the
/// default).
using LogSink = std::function<void(LogLevel, std::string_view)>;
void set_log_sink(LogSink sink);

void log_message(LogLevel level, std::string_view text);

template <class... Args>
void log_warning(fmt::format_string<Args...> text, Args&&... args) {
  log_message(LogLevel::kWarning, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void log_debug(fmt::format_string<Args...> text, Args&&... args) {
  log_message(LogLevel::kDebug, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace mezzo
