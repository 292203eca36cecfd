// What mezzo plan says of memory against what the program then takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "e2e/program.h"

namespace mezzo {
namespace {

// -5 % ... +15 % of what is measured.
constexpr double kLeast = 0.95, kMost = 1.15;

TEST(Plan, PredictsThePeakOfTheProcess) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take memory of their own";
#endif
  const test::Program program("plan");
  for (const char* side : {"64", "128", "192", "256", "384"}) {
    SCOPED_TRACE(side);
    const std::vector<std::string> size = {"a red apple", "--width", side, "--height",
                                           side,          "--steps", "1"};
    std::vector<std::string> plan = {"plan", "--json"}, draw = {"generate", "-o", "a.png"};
    plan.insert(plan.end(), size.begin(), size.end());
    draw.insert(draw.end(), size.begin(), size.end());
    const auto predicted = nlohmann::json::parse(program.run(plan).out).at("peak").get<double>();
    const auto result = program.run(draw);
    ASSERT_EQ(result.code, 0) << result.err;
    const double ratio = predicted / static_cast<double>(result.peak_rss);
    EXPECT_GE(ratio, kLeast);
    EXPECT_LE(ratio, kMost);
  }
}

TEST(Plan, SmallLimitsAreKept) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers take memory of their own";
#endif
  const test::Program program("limits");
  for (const std::uint64_t limit : {22, 23, 24, 26, 28, 30}) {
    const auto result = program.run({"generate", "a red apple", "--steps", "2", "-o", "a.png",
                                     "--max-ram", std::to_string(limit) + "M"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_LE(result.peak_rss, limit << 20) << limit;
  }
}

}  // namespace
}  // namespace mezzo
