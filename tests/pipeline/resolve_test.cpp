#include "pipeline/resolve.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/log.h"

namespace mezzo {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

GenerateParams picture_request(int width, int height) {
  GenerateParams p{.prompts = {"a cat"}};
  p.init = Image{.width = width, .height = height, .channels = 3, .pixels = {}};
  p.init->pixels.assign(static_cast<std::size_t>(width * height * 3), 9);
  return p;
}

/// What is said of the picture's size.
std::vector<std::string> warnings(const GenerateParams& p, const GenerateParams& resolved) {
  std::vector<std::string> said;
  set_log_sink([&](LogLevel, std::string_view text) { said.emplace_back(text); });
  warn_about_size(p, resolved);
  set_log_sink({});
  return said;
}

TEST(Resolve, SettingsThatDoNothingAreTold) {
  std::vector<std::string> said;
  set_log_sink([&](LogLevel, std::string_view text) { said.emplace_back(text); });
  GenerateParams p{.prompts = {"a cat"}};
  warn_about_unused(p, {"prompt_2", "skip_layer_guidance", "skip_layers"});
  EXPECT_THAT(said, IsEmpty());
  p.prompt_2 = "a dog";
  p.skip_layer_guidance = 2.5;
  warn_about_unused(p, {"prompt_2", "skip_layers"});
  set_log_sink({});
  EXPECT_THAT(said, ElementsAre("prompt_2 does nothing with this model"));
}

TEST(Resolve, SkippedLayersAreThoseOfTheModel) {
  GenerateParams p{.prompts = {"a cat"}};
  EXPECT_THAT(skipped_layers(p), ElementsAre(7, 8, 9));
  p.skip_layers = "0, 12";
  EXPECT_THAT(skipped_layers(p), ElementsAre(0, 12));
  const auto problem = [&](const ModelDefaults& d) -> std::string {
    try {
      resolve(p, d);
    } catch (const UsageError& e) {
      return e.what();
    }
    return "";
  };
  ModelDefaults layered;
  layered.skippable_layers = 12;
  EXPECT_EQ(problem({}), "") << "without guidance nothing is skipped";
  p.skip_layer_guidance = 2.5;
  EXPECT_THAT(problem({}), HasSubstr("no layers to skip"));
  EXPECT_THAT(problem(layered), HasSubstr("0 to 11"));
  p.skip_layers = "11";
  EXPECT_EQ(problem(layered), "");
  for (const char* list : {"", "7,", "a", "7;8", "-1", "7 8", "99999999999999999999"}) {
    p.skip_layers = list;
    EXPECT_THAT(problem(layered), HasSubstr("no list of layers")) << list;
  }
}

TEST(Resolve, APictureKeepsItsSizeWhereTheModelDrawsItWell) {
  const auto p = picture_request(640, 480);
  const auto r = resolve(p, {});
  EXPECT_EQ(r.width, 640);
  EXPECT_EQ(r.height, 480);
  EXPECT_THAT(warnings(p, r), IsEmpty());
}

TEST(Resolve, ALargePictureIsDrawnSmallerInItsShape) {
  const auto p = picture_request(2000, 1000);
  const auto r = resolve(p, {});
  EXPECT_EQ(r.width, 720);  // 512 * sqrt(2), a multiple of 8
  EXPECT_EQ(r.height, 360);
  EXPECT_THAT(warnings(p, r), ElementsAre(HasSubstr("far more than the model draws well")));
}

TEST(Resolve, OneSideOfTheRequestGivesTheOther) {
  auto p = picture_request(640, 480);
  p.width = 320;
  EXPECT_EQ(resolve(p, {}).height, 240);
  p.width = 0, p.height = 960;
  EXPECT_EQ(resolve(p, {}).width, 1280);
  auto wide = picture_request(1280, 720);
  wide.width = 896;
  EXPECT_EQ(resolve(wide, {}).height, 504);  // exactly: 1280 / 720 is no round number
  auto tall = picture_request(20, 200);
  tall.width = 1024;
  EXPECT_THROW(resolve(tall, {}), UsageError);  // 1024x10240
}

TEST(Resolve, AMaskThatASmallSizeLosesIsNotCalledBlank) {
  auto p = picture_request(512, 512);
  p.mask = Image{.width = 512, .height = 512, .channels = 1, .pixels = {}};
  p.mask->pixels.assign(512 * 512, 0);
  p.mask->row(301)[301] = 255;
  EXPECT_EQ(resolve(p, {}).width, 512);
  p.width = p.height = 64;
  EXPECT_THAT([&] { resolve(p, {}); },
              testing::ThrowsMessage<UsageError>(HasSubstr("nothing is left of the mask")));
  p.mask->row(301)[301] = 0;
  EXPECT_THAT([&] { resolve(p, {}); },
              testing::ThrowsMessage<UsageError>(HasSubstr("no white part")));
}

TEST(Resolve, BothSidesMayStretchThePictureAndThatIsSaid) {
  auto p = picture_request(640, 480);
  p.width = p.height = 512;
  EXPECT_THAT(warnings(p, resolve(p, {})), ElementsAre(HasSubstr("stretched to 512x512")));
  p.width = 512, p.height = 384;
  EXPECT_THAT(warnings(p, resolve(p, {})), IsEmpty());
}

/// What is said of the things and the size of a request to a model that knows a few things.
std::vector<std::string> warnings_of_reach(const std::string& prompt, int side = 128) {
  const auto objects = nlohmann::json::parse(R"({"objects": ["apple", "Hot dog", "cherries", "bus"],
      "synonyms": {"apple": ["granny"], "bus": "none"}, "recommended": {"width": 128, "height": 128}})");
  const auto d = ModelDefaults::from(objects, {}, "objects.json");
  GenerateParams p{.prompts = {"an apple", prompt}};
  p.width = p.height = side;
  std::vector<std::string> said;
  set_log_sink([&](LogLevel, std::string_view text) { said.emplace_back(text); });
  warn_about_reach(p, d);
  set_log_sink({});
  return said;
}

TEST(Resolve, ASmallModelSaysWhatItCannotDraw) {
  for (const char* known : {"a red APPLE, icon", "apples", "two hot dogs", "a cherry", "cherries.",
                            "a bus", "buses", "my grannies", " , "})
    EXPECT_THAT(warnings_of_reach(known), IsEmpty()) << known;
  for (const char* unknown : {"a spaceship", "a pineapple", "a dog that is hot", "business", "bu"})
    EXPECT_THAT(warnings_of_reach(unknown),
                ElementsAre(AllOf(HasSubstr(unknown), HasSubstr("such as apple, "))));
}

TEST(Resolve, AnEmptyPromptIsToldWhereNothingElseSaysWhatToDraw) {
  for (const char* blank : {"", " "})
    EXPECT_THAT(warnings_of_reach(blank), ElementsAre(HasSubstr("prompt is empty")));
  std::vector<std::string> said;
  set_log_sink([&](LogLevel, std::string_view text) { said.emplace_back(text); });
  GenerateParams p{.prompts = {""}};
  p.prompt_2 = "an apple";
  warn_about_reach(p, {});
  auto of_picture = picture_request(64, 64);
  of_picture.prompts = {""};
  warn_about_reach(of_picture, {});
  set_log_sink({});
  EXPECT_THAT(said, IsEmpty());
}

TEST(Resolve, ASmallModelSaysWhatSizeIsBeyondIt) {
  EXPECT_THAT(warnings_of_reach("an apple", 192), IsEmpty());
  EXPECT_THAT(warnings_of_reach("an apple", 256), ElementsAre(HasSubstr("128x128")));
}

TEST(Resolve, OtherModelsAreAskedForAnything) {
  GenerateParams p{.prompts = {"a spaceship"}, .width = 2048, .height = 2048};
  std::vector<std::string> said;
  set_log_sink([&](LogLevel, std::string_view text) { said.emplace_back(text); });
  warn_about_reach(p, {});
  set_log_sink({});
  EXPECT_THAT(said, IsEmpty());
}

}  // namespace
}  // namespace mezzo
