#include "cli/progress.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mezzo::cli {
namespace {

using ::testing::HasSubstr;

Progress drawing(int step, int steps) {
  Progress p;
  p.phase = Phase::kDenoise;
  p.step = step, p.steps = steps, p.picture = 1, p.pictures = 3;
  p.seconds_per_step = 0.25, p.seconds_left = 65;
  return p;
}

/// What a printer writes for a run of `steps` steps.
std::string printed(ProgressMode mode, int steps) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* out = ::open_memstream(&text, &size);
  // A memory stream has no descriptor: it is no terminal.
  {
    ProgressPrinter printer(mode, out);
    for (int i = 1; i <= steps; ++i) printer(drawing(i, steps));
  }
  std::fclose(out);
  std::string result(text, size);
  std::free(text);
  return result;
}

TEST(Bar, ShowsStepsRateAndTimeLeft) {
  EXPECT_EQ(format_bar(drawing(10, 20), 60, false),
            "picture 2/3 drawing [#####.....] 10/20  4.00 it/s  1:05 left");
  const std::string line = format_bar(drawing(5, 20), 79, true);
  EXPECT_THAT(line, HasSubstr("█"));
  EXPECT_THAT(line, HasSubstr("5/20"));
}

TEST(Bar, FitsEveryWidth) {
  for (int columns = 0; columns < 200; ++columns)
    for (int step : {0, 1, 7, 20}) {
      const std::string line = format_bar(drawing(step, 20), columns, false);
      EXPECT_LE(static_cast<int>(line.size()), columns);
    }
}

TEST(Bar, SlowStepsAreSecondsPerStep) {
  Progress p = drawing(1, 20);
  p.seconds_per_step = 12.5;
  EXPECT_THAT(format_plain(p), HasSubstr("12.50 s/it"));
}

TEST(Bar, NothingKnownYet) {
  Progress p;
  EXPECT_EQ(format_bar(p, 79, false), "loading the model");
  EXPECT_EQ(format_plain(p), "loading the model");
  p.step = 5, p.steps = 0;  // a count without an end
  EXPECT_EQ(format_bar(p, 79, false), "loading the model");
}

TEST(Plain, WritesAboutTenLinesARun) {
  const std::string text = printed(ProgressMode::kPlain, 1000);
  EXPECT_GE(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 12);
  EXPECT_EQ(printed(ProgressMode::kAuto, 1000), text);  // no terminal
}

TEST(Plain, OnlyStepsOfDrawingAreCounted) {
  Progress p = drawing(1, 3);
  p.phase = Phase::kLoad;
  EXPECT_EQ(format_plain(p), "picture 2/3 loading the model");
  p.phase = Phase::kDecode;
  EXPECT_EQ(format_plain(p), "picture 2/3 decoding");
}

TEST(Json, IsAnObjectALine) {
  const std::string text = printed(ProgressMode::kJson, 3);
  std::istringstream in(text);
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["phase"], "denoise");
    EXPECT_EQ(json["step"], lines + 1);
    EXPECT_EQ(json["steps"], 3);
    EXPECT_EQ(json["picture"], 1);
    EXPECT_EQ(json["seconds_left"], 65);
  }
  EXPECT_EQ(lines, 3);
}

TEST(None, WritesNothing) { EXPECT_EQ(printed(ProgressMode::kNone, 5), ""); }

TEST(BarOnTerminal, IsTakenOffInTheEnd) {
  const std::string text = printed(ProgressMode::kBar, 5);
  EXPECT_THAT(text, HasSubstr("5/5"));
  EXPECT_TRUE(text.ends_with("\r\x1b[K"));
}

TEST(Time, IsShort) {
  EXPECT_EQ(format_time(0), "0:00");
  EXPECT_EQ(format_time(6.2), "0:07");
  EXPECT_EQ(format_time(723), "12:03");
  EXPECT_EQ(format_time(3723), "1:02:03");
  EXPECT_EQ(format_time(-5), "0:00");
  EXPECT_EQ(format_time(1e300), "1000:00:00");
}

TEST(Mode, HasItsNames) {
  EXPECT_EQ(progress_mode("json"), ProgressMode::kJson);
  EXPECT_THROW(progress_mode("loud"), UsageError);
}

}  // namespace
}  // namespace mezzo::cli
