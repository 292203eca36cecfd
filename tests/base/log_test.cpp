#include "base/log.h"

#include <string>

#include <gtest/gtest.h>

namespace mezzo {
namespace {

TEST(Log, ReachesTheSinkAndNothingElse) {
  std::string got;
  log_warning("dropped {}", 1);
  set_log_sink([&](LogLevel level, std::string_view text) {
    got = std::string(level == LogLevel::kWarning ? "W:" : "D:") + std::string(text);
  });
  log_warning("a {}", 2);
  EXPECT_EQ(got, "W:a 2");
  log_debug("b");
  EXPECT_EQ(got, "D:b");
  set_log_sink({});
  log_warning("dropped");
  EXPECT_EQ(got, "D:b");
}

}  // namespace
}  // namespace mezzo
