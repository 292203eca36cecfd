#include "mezzotint/params.h"

#include <limits>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace mezzo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <class F>
std::string usage_error(F f) {
  try {
    f();
  } catch (const UsageError& e) {
    return e.what();
  }
  return "no error";
}

GenerateParams apple() {
  GenerateParams p;
  p.prompts = {"a red apple"};
  return p;
}

TEST(Fields, HaveUniqueNamesAndAllTexts) {
  std::set<std::string_view> names;
  for (const Field& f : generate_fields()) {
    EXPECT_TRUE(names.insert(f.name).second) << f.name;
    EXPECT_EQ(find_field(f.name), &f);
    EXPECT_FALSE(f.help.empty() || f.default_text.empty()) << f.name;
  }
  EXPECT_EQ(find_field("no_such_field"), nullptr);
  EXPECT_EQ(find_field(""), nullptr);
}

TEST(SetField, ReadsEveryKindOfValue) {
  GenerateParams p;
  set_field(p, "steps", "+20");
  set_field(p, "guidance", "7.5");
  set_field(p, "eta", "1e-1");
  set_field(p, "seed", "9223372036854775807");
  set_field(p, "sampler", "euler_a");
  set_field(p, "spacing", "trailing");
  set_field(p, "keep_unmasked", "No");
  EXPECT_EQ(p.steps, 20);
  EXPECT_EQ(p.guidance, 7.5);
  EXPECT_EQ(p.eta, 0.1);
  EXPECT_EQ(p.seed, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(p.sampler, "euler_a");
  EXPECT_EQ(p.spacing, "trailing");
  EXPECT_FALSE(p.keep_unmasked);
}

TEST(SetField, AcceptsBothEndsOfEveryRangeAndNothingBeyond) {
  for (const Field& f : generate_fields()) {
    SCOPED_TRACE(f.name);
    if (f.max == f.min || std::holds_alternative<bool GenerateParams::*>(f.member)) continue;
    GenerateParams p;
    EXPECT_NO_THROW(set_field(p, f.name, std::to_string(static_cast<std::int64_t>(f.min))));
    EXPECT_THROW(set_field(p, f.name, std::to_string(static_cast<std::int64_t>(f.min) - 1)),
                 UsageError);
    if (f.name == "seed") continue;  // its end is the type's
    EXPECT_NO_THROW(set_field(p, f.name, std::to_string(static_cast<std::int64_t>(f.max))));
    EXPECT_THROW(set_field(p, f.name, std::to_string(static_cast<std::int64_t>(f.max) + 1)),
                 UsageError);
  }
}

TEST(SetField, RefusesWhatIsNotAValue) {
  const std::pair<const char*, const char*> bad[] = {
      {"steps", "0"},      {"steps", ""},
      {"steps", "20.5"},   {"steps", "20 "},
      {"steps", "twenty"}, {"steps", "0x10"},
      {"steps", "+-3"},    {"steps", "99999999999999999999"},
      {"guidance", "nan"}, {"guidance", "inf"},
      {"guidance", "7,5"}, {"guidance", "-1"},
      {"strength", "1.1"}, {"width", "100"},
      {"height", "4100"},  {"seed", "9223372036854775808"},
      {"spacing", "even"}, {"spacing", "leading|"},
      {"rng", "gpu"},      {"keep_unmasked", "maybe"},
      {"eta", ""},         {"clip_skip", "13"},
      {"width", "-512"},   {"seed", "-2"},
  };
  for (const auto& [name, value] : bad) {
    GenerateParams p = apple();
    const std::string before = to_json(p);
    EXPECT_THROW(set_field(p, name, value), UsageError) << name << "=" << value;
    EXPECT_EQ(to_json(p), before) << name << "=" << value;
  }
}

TEST(SetField, MessagesNameFieldValueAndRemedy) {
  GenerateParams p;
  EXPECT_EQ(usage_error([&] { set_field(p, "steps", "0"); }),
            "steps: 0 is not usable; give a whole number from 1 to 1000");
  EXPECT_EQ(usage_error([&] { set_field(p, "width", "100"); }),
            "width: 100 is not a multiple of 8; give 96 or 104");
  EXPECT_EQ(usage_error([&] { set_field(p, "rng", "gpu"); }),
            "rng: \"gpu\" is not known; choose one of nv, cpu");
  EXPECT_THAT(usage_error([&] { set_field(p, "stpes", "3"); }),
              AllOf(HasSubstr("stpes"), HasSubstr("steps")));
}

TEST(Validate, AcceptsDefaultsAndRefusesEachBadField) {
  EXPECT_NO_THROW(validate(apple()));
  const auto refuses = [](auto change) {
    GenerateParams p = apple();
    change(p);
    EXPECT_THROW(validate(p), UsageError);
  };
  refuses([](auto& p) { p.prompts.clear(); });
  refuses([](auto& p) { p.prompts[0] = std::string(100'000, 'a'); });
  refuses([](auto& p) { p.negative_prompt = std::string(100'000, 'a'); });
  refuses([](auto& p) { p.steps = -1; });
  refuses([](auto& p) { p.guidance = std::numeric_limits<double>::quiet_NaN(); });
  refuses([](auto& p) { p.guidance_rescale = std::numeric_limits<double>::quiet_NaN(); });
  refuses([](auto& p) { p.eta = std::numeric_limits<double>::infinity(); });
  refuses([](auto& p) { p.width = 513; });
  refuses([](auto& p) { p.height = std::numeric_limits<std::int64_t>::max() - 7; });
  refuses([](auto& p) { p.spacing = "even"; });
  refuses([](auto& p) { p.rng = "gpu"; });
  refuses([](auto& p) { p.sampler = "eulr"; });
  refuses([](auto& p) { p.schedule = "karas"; });
  refuses([](auto& p) { p.clip_skip = -1; });
  refuses([](auto& p) { p.seed = std::numeric_limits<std::int64_t>::max(), p.count = 2; });
}

TEST(Validate, ChecksPictures) {
  const auto picture = [](int w, int h, int c) {
    return Image{w, h, c, std::vector<std::uint8_t>(static_cast<std::size_t>(w) * h * c)};
  };
  GenerateParams p = apple();
  p.init = picture(16, 8, 3);
  p.mask = picture(16, 8, 1);
  EXPECT_NO_THROW(validate(p));
  p.mask = picture(8, 16, 1);
  EXPECT_THAT(usage_error([&] { validate(p); }), AllOf(HasSubstr("8x16"), HasSubstr("16x8")));
  p.init.reset();
  EXPECT_THAT(usage_error([&] { validate(p); }), HasSubstr("no picture"));
  p.mask.reset();
  p.init = picture(16, 8, 2);
  EXPECT_THROW(validate(p), UsageError);
  p.init = picture(16, 8, 3);
  p.init->pixels.pop_back();
  EXPECT_THROW(validate(p), UsageError);
  p.init = Image{};
  EXPECT_THROW(validate(p), UsageError);
}

TEST(Json, RoundTripsEveryField) {
  GenerateParams p;
  p.prompts = {"a \"red\" apple", "ein grüner Apfel"};
  p.negative_prompt = "blurry\nsoft";
  p.prompt_2 = "a round fruit", p.prompt_3 = "red", p.negative_prompt_2 = "grey";
  p.negative_prompt_3 = "a pear", p.t5_length = 77;
  p.steps = 7, p.guidance = 0.1, p.guidance_rescale = 0.3, p.width = 64, p.height = 128;
  p.seed = std::numeric_limits<std::int64_t>::max() - 5, p.count = 3;
  p.sampler = "euler_a", p.schedule = "karras", p.spacing = "leading",
  p.prediction = "v_prediction";
  p.eta = 0.5, p.rng = "cpu", p.clip_skip = 2, p.strength = 0, p.mask_blur = 0,
  p.keep_unmasked = false;
  const std::string json = to_json(p);
  const GenerateParams q = params_from_json(json);
  EXPECT_EQ(to_json(q), json);
  EXPECT_EQ(q.prompts, p.prompts);
  EXPECT_EQ(q.seed, p.seed);
  EXPECT_EQ(q.strength, 0.0);
  const auto parsed = nlohmann::json::parse(json);
  for (const Field& f : generate_fields())
    EXPECT_TRUE(parsed.contains(std::string(f.name))) << f.name;
}

TEST(Json, LeavesOutWhatIsNotSet) {
  const auto parsed = nlohmann::json::parse(to_json(apple()));
  EXPECT_EQ(parsed["prompt"], "a red apple");
  EXPECT_FALSE(parsed.contains("steps"));
  EXPECT_FALSE(parsed.contains("guidance"));
  EXPECT_FALSE(parsed.contains("sampler"));
  EXPECT_EQ(parsed["seed"], -1);
}

TEST(Json, SurvivesTextThatIsNotUtf8) {
  GenerateParams p = apple();
  p.prompts[0] = "caf\xe9";
  EXPECT_EQ(params_from_json(to_json(p)).prompts[0], "caf\xef\xbf\xbd");
}

TEST(Json, AcceptsWholeFloatsAndNull) {
  const GenerateParams p =
      params_from_json(R"({"prompt": "x", "steps": 20.0, "guidance": 7, "sampler": null})");
  EXPECT_EQ(p.steps, 20);
  EXPECT_EQ(p.guidance, 7.0);
  EXPECT_EQ(p.sampler, "");
}

TEST(Json, RefusesEverythingElse) {
  const char* bad[] = {
      "",
      "[]",
      "3",
      "{",
      R"({"prompt": 3})",
      R"({"prompts": "x"})",
      R"({"prompts": [3]})",
      R"({"stpes": 3})",
      R"({"init": "picture.png"})",
      R"({"steps": "20"})",
      R"({"steps": 20.5})",
      R"({"steps": 0})",
      R"({"steps": 1e300})",
      R"({"seed": 18446744073709551615})",
      R"({"guidance": NaN})",
      R"({"guidance": 1e999})",
      R"({"guidance": "7"})",
      R"({"sampler": 3})",
      R"({"keep_unmasked": 1})",
      R"({"prompt": "x", "steps": {"a": [[[[[[1]]]]]]}})",
  };
  for (const char* text : bad) EXPECT_THROW(params_from_json(text), UsageError) << text;
  const std::string deep = "{\"prompt\":" + std::string(1'000'000, '[');
  EXPECT_THROW(params_from_json(deep), UsageError);
}

}  // namespace
}  // namespace mezzo
