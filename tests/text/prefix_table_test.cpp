#include "text/prefix_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mezzo {
namespace {

std::vector<int> found(const PrefixTable& table, std::string_view text) {
  std::vector<int> ids;
  table.for_each_prefix(text, [&](const PrefixTable::Entry& e) { ids.push_back(e.id); });
  return ids;
}

TEST(PrefixTable, FindsEveryPrefixTheShortestFirst) {
  const PrefixTable table(
      {{"abc", 1}, {"a", 2}, {"b", 3}, {"\xE7\x8C\xAB", 4}, {"ab", 5}, {"abd", 6}, {"\x7F", 7}});
  EXPECT_THAT(found(table, "abcd"), testing::ElementsAre(2, 5, 1));
  EXPECT_THAT(found(table, "abd"), testing::ElementsAre(2, 5, 6));
  EXPECT_THAT(found(table, "ac"), testing::ElementsAre(2));
  EXPECT_THAT(found(table, "\xE7\x8C\xAB!"), testing::ElementsAre(4));
  EXPECT_THAT(found(table, "\xE7\x8C"), testing::IsEmpty());
  EXPECT_THAT(found(table, "\x7F"), testing::ElementsAre(7));
  EXPECT_THAT(found(table, ""), testing::IsEmpty());
  EXPECT_EQ(table.longest_prefix("abab")->id, 5);
  EXPECT_EQ(table.longest_prefix("xab"), nullptr);
  EXPECT_EQ(PrefixTable().longest_prefix("a"), nullptr);
}

}  // namespace
}  // namespace mezzo
