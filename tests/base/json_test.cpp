#include "base/json.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/errors.h"

namespace mezzo {
namespace {

using ::testing::HasSubstr;

/// What is wrong with a text; empty where nothing is.
std::string parse_error(const std::string& text) {
  try {
    parse_json(text, "settings");
    return {};
  } catch (const LoadError& e) {
    return e.what();
  }
}

TEST(Json, ParsesOrdinaryText) {
  EXPECT_EQ(parse_json(R"({"a": [1, {"b": null}]})", "x")["a"][0], 1);
}

TEST(Json, RefusesWhatReadersSeeDifferently) {
  EXPECT_THAT(parse_error(R"({"a": 1, "a": 2})"), HasSubstr("twice"));
  EXPECT_THAT(parse_error(R"({"o": {"a": 1, "b": {"a": 1}, "a": 2}})"), HasSubstr("twice"));
  EXPECT_EQ(parse_error(R"({"a": {"a": 1}, "b": {"a": 1}})"), "");
  EXPECT_THAT(parse_error("{"), HasSubstr("settings: is not valid JSON"));
  EXPECT_THAT(parse_error("{\"a\": 1} x"), HasSubstr("not valid"));
  EXPECT_THAT(parse_error("{\"\xff\": 1}"), HasSubstr("not valid"));
  EXPECT_THAT(parse_error(""), HasSubstr("not valid"));
  EXPECT_THAT(parse_error("1e999"), HasSubstr("not valid"));
}

TEST(Json, FilesMayHoldPythonsNumbers) {
  const fs::path file = fs::path(testing::TempDir()) / "python_numbers.json";
  std::ofstream(file)
      << R"({"a": -Infinity, "b": NaN, "c": [Infinity, 1], "d": "a \"NaN\" string"})";
  const auto v = read_json_file(file);
  EXPECT_TRUE(v["a"].is_null());
  EXPECT_TRUE(v["b"].is_null());
  EXPECT_TRUE(v["c"][0].is_null());
  EXPECT_EQ(v["d"], "a \"NaN\" string");
}

TEST(Json, FilesHaveALimit) {
  const fs::path file = fs::path(testing::TempDir()) / "large.json";
  std::ofstream(file) << "[" << std::string(8 << 20, ' ') << "]";
  EXPECT_THROW(read_json_file(file), LoadError);
}

TEST(Json, LimitsDepth) {
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_EQ(parse_error(nested(32)), "");
  EXPECT_THAT(parse_error(nested(33)), HasSubstr("deeper"));
  EXPECT_THAT(parse_error(nested(1'000'000)), HasSubstr("deeper"));
}

}  // namespace
}  // namespace mezzo
