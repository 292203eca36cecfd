#include "cli/text.h"

#include <gtest/gtest.h>

namespace mezzo::cli {
namespace {

TEST(Bytes, HaveOneDigit) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1500), "1.5 kB");
  EXPECT_EQ(format_bytes(999'999), "1.0 MB");
  EXPECT_EQ(format_bytes(4'265'380'512), "4.3 GB");
  EXPECT_EQ(format_bytes(~0ull), "18446744.1 TB");
}

TEST(Wrap, BreaksBetweenWords) {
  EXPECT_EQ(wrap("aa bb cc dd", 8, "  "), "  aa bb\n  cc dd");
  EXPECT_EQ(wrap("toolongword x", 5, ""), "toolongword\nx");
  EXPECT_EQ(wrap("", 5, " "), " ");
}

TEST(Nearest, FindsTyposOnly) {
  const std::vector<std::string> names = {"--steps", "--seed", "--width"};
  EXPECT_EQ(nearest("--stpes", names), "--steps");
  EXPECT_EQ(nearest("--wdth", names), "--width");
  EXPECT_EQ(nearest("--something-else", names), "");
  EXPECT_EQ(nearest(std::string(10'000, 'x'), names), "");
}

}  // namespace
}  // namespace mezzo::cli
