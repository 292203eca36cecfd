#include "cli/exit_code.h"

#include <new>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "mezzotint/errors.h"

namespace mezzo::cli {
namespace {

template <class E>
Failure failure_of(const E& error) {
  return describe(std::make_exception_ptr(error));
}

TEST(ExitCode, IsFixedForEveryKindOfError) {
  EXPECT_EQ(failure_of(UsageError("x")).code, 2);
  EXPECT_EQ(failure_of(LoadError("x")).code, 3);
  EXPECT_EQ(failure_of(OutOfMemory("x")).code, 4);
  EXPECT_EQ(failure_of(std::bad_alloc()).code, 4);
  EXPECT_EQ(failure_of(Cancelled("x")).code, 130);
  EXPECT_EQ(failure_of(DeviceError("x")).code, 1);
  EXPECT_EQ(failure_of(InternalError("x")).code, 1);
  EXPECT_EQ(failure_of(std::runtime_error("x")).code, 1);
}

TEST(ExitCode, MessagesAreOneLine) {
  EXPECT_EQ(failure_of(LoadError("a\nb\r\nc")).message, "a b  c");
}

TEST(ExitCode, IsJsonToo) {
  const auto json = nlohmann::json::parse(to_json(failure_of(LoadError("bad \xff \"file\""))));
  EXPECT_EQ(json["error"]["kind"], "load");
  EXPECT_EQ(json["error"]["message"], "bad \xef\xbf\xbd \"file\"");
}

}  // namespace
}  // namespace mezzo::cli
