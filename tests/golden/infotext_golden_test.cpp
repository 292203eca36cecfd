// Every text of goldens/infotext, read as the web UI reads it, and every value quoted as it quotes
// it.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "image/infotext.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

using nlohmann::json;

json to_json(const InfotextValue& value) {
  return std::visit([](const auto& v) { return json(v); }, value);
}

json to_json(const InfotextFields& fields) {
  json out = json::object();
  for (const auto& [key, value] : fields) out[key] = to_json(value);
  return out;
}

TEST(InfotextGolden, ParsesEveryText) {
  std::size_t cases = 0;
  for (const auto& root : test::golden_paths("infotext")) {
    const json golden = json::parse(read_text_file(root / "infotext.json"));
    for (const json& c : golden.at("parse")) {
      SCOPED_TRACE(root.string() + " parse " + c.at("n").dump());
      const Infotext parsed = parse_infotext(c.at("text").get<std::string>());
      json line = json::array();
      for (const auto& [key, value] : parsed.settings_line) line.push_back({key, value});
      EXPECT_EQ(line, c.at("settings_line"));
      EXPECT_EQ(json::diff(to_json(parsed.fields), c.at("fields")), json::array());
      ++cases;
    }
  }
  if (cases == 0) GTEST_SKIP() << "no infotext goldens on this machine";
  std::printf("%zu texts parsed\n", cases);
}

TEST(InfotextGolden, QuotesEveryValue) {
  std::size_t cases = 0;
  for (const auto& root : test::golden_paths("infotext")) {
    const json golden = json::parse(read_text_file(root / "infotext.json"));
    for (const json& c : golden.at("quote")) {
      EXPECT_EQ(quote_infotext(c.at("value").get<std::string>()),
                c.at("quoted").get<std::string>());
      ++cases;
    }
  }
  if (cases == 0) GTEST_SKIP() << "no infotext goldens on this machine";
  std::printf("%zu values quoted\n", cases);
}

// Writing a parsed recipe and parsing it again changes nothing.
TEST(InfotextGolden, SurvivesWriting) {
  std::size_t cases = 0;
  for (const auto& root : test::golden_paths("infotext")) {
    const json golden = json::parse(read_text_file(root / "infotext.json"));
    for (const json& c : golden.at("parse")) {
      const Infotext first = parse_infotext(c.at("text").get<std::string>());
      if (first.settings_line.empty()) continue;
      SCOPED_TRACE(root.string() + " parse " + c.at("n").dump());
      InfotextRecipe recipe{first.prompt, first.negative, {}};
      for (const auto& [key, raw] : first.settings_line) {
        const auto it = first.fields.find(key);
        const auto* text =
            it == first.fields.end() ? nullptr : std::get_if<std::string>(&it->second);
        recipe.settings.emplace_back(key, text ? *text : raw);
      }
      EXPECT_EQ(
          json::diff(to_json(parse_infotext(write_infotext(recipe)).fields), to_json(first.fields)),
          json::array());
      ++cases;
    }
  }
  if (cases == 0) GTEST_SKIP() << "no infotext goldens on this machine";
}

}  // namespace
}  // namespace mezzo
