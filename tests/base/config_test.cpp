#include "base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace mezzo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(Config, ReadsTypedFieldsWithDefaults) {
  const auto j = nlohmann::json::parse(
      R"({"n": 3, "x": 0.5, "on": true, "name": "a", "none": null, "list": [1, 2], "one": 7})");
  const ConfigReader c(j, "config.json");
  EXPECT_EQ(c.integer("n", 1, 0, 10), 3);
  EXPECT_EQ(c.integer("none", 5, 0, 10), 5);
  EXPECT_EQ(c.number("x", 1), 0.5);
  EXPECT_TRUE(c.boolean("on", false));
  EXPECT_EQ(c.text("name", "b"), "a");
  EXPECT_THAT(c.integers("list", 2, {}, 0, 9), ElementsAre(1, 2));
  EXPECT_THAT(c.integers("one", 3, {}, 0, 9), ElementsAre(7, 7, 7));
  EXPECT_FALSE(c.has("none"));
}

TEST(Config, RefusesWrongTypesAndRangesNamingTheField) {
  const auto j = nlohmann::json::parse(
      R"({"n": 30, "s": "x", "big": 18446744073709551615, "f": 1.5, "list": [1, "a"], "empty": []})");
  const ConfigReader c(j, "model/config.json");
  EXPECT_THAT([&] { c.integer("n", 1, 0, 10); },
              ThrowsMessage<LoadError>(
                  HasSubstr("model/config.json: \"n\" should be a whole number from 0 to 10")));
  EXPECT_THROW(c.integer("big", 1, 0, INT64_MAX), LoadError);
  EXPECT_THROW(c.integer("f", 1, 0, 10), LoadError);
  EXPECT_THROW(c.number("s", 1), LoadError);
  EXPECT_THROW(c.boolean("s", true), LoadError);
  EXPECT_THROW(c.text("n", "x"), LoadError);
  EXPECT_THROW(c.integers("list", 2, {}, 0, 9), LoadError);
  EXPECT_THROW(c.integers("empty", 2, {}, 0, 9), LoadError);
  EXPECT_THROW(c.integer("absent", std::nullopt, 0, 9), LoadError);
  EXPECT_THROW(ConfigReader(nlohmann::json::array(), "x"), LoadError);
}

}  // namespace
}  // namespace mezzo
