#include "pipeline/recipe.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "image/codec.h"
#include "mezzotint/files.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

GenerateParams resolved() {
  GenerateParams p;
  p.prompts = {"a red apple, \"fresh\"", "another"};
  p.negative_prompt = "blurry";
  p.steps = 20, p.guidance = 7, p.width = 512, p.height = 768, p.seed = 41, p.count = 2;
  p.sampler = sampler_names().front().first;
  p.schedule = "karras";
  p.rng = "cpu", p.clip_skip = 2, p.eta = 0.5;
  return p;
}

ModelInfo model() {
  ModelInfo m;
  m.name = "my: model, v1";
  m.hash = "0123456789";
  return m;
}

const std::string kPrompt = "a red apple, \"fresh\"";

TEST(Infotext, HasTheWebUisOrderAndNames) {
  const GenerateParams p = resolved();
  const ModelInfo m = model();
  EXPECT_EQ(
      recipe_infotext({p, kPrompt, 42, m}),
      kPrompt + "\nNegative prompt: blurry\nSteps: 20, Sampler: " + sampler_names().front().second +
          ", Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 512x768, Model hash: 0123456789, "
          "Model: my_ model_ v1, Clip skip: 2, RNG: CPU, Eta: 0.5, Version: " +
          version());
}

TEST(Infotext, ReadsBackWhatItWrote) {
  const GenerateParams p = resolved();
  const ModelInfo m = model();
  std::string name;
  const GenerateParams q = recipe_from_infotext(recipe_infotext({p, kPrompt, 42, m}), &name);
  EXPECT_EQ(q.prompts, std::vector<std::string>{kPrompt});
  EXPECT_EQ(q.negative_prompt, "blurry");
  EXPECT_EQ(q.steps, 20);
  EXPECT_EQ(q.guidance, 7.0);
  EXPECT_EQ(q.seed, 42);
  EXPECT_EQ(q.width, 512);
  EXPECT_EQ(q.height, 768);
  EXPECT_EQ(q.sampler, sampler_names().front().second);
  EXPECT_EQ(q.schedule, "Karras");
  EXPECT_EQ(q.rng, "cpu");
  EXPECT_EQ(q.clip_skip, 2);
  EXPECT_EQ(q.eta, 0.5);
  EXPECT_EQ(name, "my_ model_ v1");
}

TEST(Infotext, TellsHowAMaskWasUsed) {
  GenerateParams p = resolved();
  p.prompts = {"a cat"};
  p.init = p.mask = Image{.width = 1, .height = 1, .channels = 1, .pixels = {255}};
  p.masked_content = "noise";
  p.only_masked = true;
  p.mask_padding = 48;
  const ModelInfo m = model();
  const std::string text = recipe_infotext({p, p.prompts[0], 1, m});
  EXPECT_THAT(text, HasSubstr("Mask blur: 4, Masked content: latent noise, Inpaint area: Only "
                              "masked, Masked area padding: 48"));
  const GenerateParams q = recipe_from_infotext(text);
  EXPECT_EQ(q.masked_content, "noise");
  EXPECT_TRUE(q.only_masked);
  EXPECT_EQ(q.mask_padding, 48);
}

TEST(Infotext, ReadsTheWebUisDefaults) {
  const GenerateParams q = recipe_from_infotext(
      "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 5, Size: 512x512");
  EXPECT_EQ(q.sampler, "Euler a");
  EXPECT_EQ(q.schedule, "");  // Automatic
  EXPECT_EQ(q.rng, "nv");
  EXPECT_EQ(q.clip_skip, 1);
  EXPECT_FALSE(q.strength.has_value());
}

TEST(Infotext, AutomaticIsTheWebUisChoiceForTheSampler) {
  const GenerateParams q = recipe_from_infotext(
      "a cat\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Automatic, CFG scale: 7, Seed: 5");
  EXPECT_EQ(q.schedule, "Automatic");
}

TEST(Infotext, ASecondPassIsNoStartingPicture) {
  const GenerateParams q = recipe_from_infotext(
      "a cat\nSteps: 20, Sampler: Euler, Seed: 5, Size: 512x512, Denoising strength: 0.7, "
      "Hires upscale: 2, Hires upscaler: Latent");
  EXPECT_FALSE(q.strength.has_value());
}

TEST(Infotext, RefusesTextWithoutSettingsAndBadValues) {
  EXPECT_THROW(recipe_from_infotext("just a prompt"), UsageError);
  EXPECT_THROW(recipe_from_infotext(""), UsageError);
  EXPECT_THROW(recipe_from_infotext("a cat\nSteps: many, Sampler: Euler a, Seed: 5"), UsageError);
  EXPECT_THROW(recipe_from_infotext("a cat\nSteps: 20, Sampler: Euler a, Size: 511x512"),
               UsageError);
}

TEST(Request, IsForExactlyOnePicture) {
  const GenerateParams p = resolved();
  const ModelInfo m = model();
  const std::string json = recipe_request({p, kPrompt, 42, m});
  const auto parsed = nlohmann::json::parse(json);
  EXPECT_EQ(parsed["prompt"], kPrompt);
  EXPECT_EQ(parsed["seed"], 42);
  EXPECT_EQ(parsed["count"], 1);
  EXPECT_EQ(parsed["model"], "my: model, v1");
  std::string name;
  const GenerateParams q = recipe_from_request(json, &name);
  EXPECT_EQ(name, "my: model, v1");
  EXPECT_EQ(q.seed, 42);
  EXPECT_EQ(q.schedule, "karras");
  EXPECT_EQ(recipe_request({q, kPrompt, 42, m}), json);
}

TEST(Request, RefusesDamagedText) {
  for (const char* text : {"", "{", "[]", "{\"steps\": 0}", "{\"unknown\": 1}"})
    EXPECT_THROW(recipe_from_request(text), UsageError) << text;
}

class ReadRecipe : public ::testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path folder_ = test::scratch_dir("recipe");
};

TEST_P(ReadRecipe, PrefersTheRequestAndFallsBackToTheText) {
  const GenerateParams p = resolved();
  const ModelInfo m = model();
  const Image image{8, 8, 3, std::vector<std::uint8_t>(8 * 8 * 3, 100)};
  const std::string path = (folder_ / "picture").string() + GetParam();
  Metadata metadata{.parameters = recipe_infotext({p, kPrompt, 42, m}),
                    .request = recipe_request({p, kPrompt, 43, m})};
  write_image(path, image, metadata);
  EXPECT_EQ(read_recipe(path).seed, 43);
  metadata.request.clear();
  write_image(path, image, metadata);
  std::string name;
  EXPECT_EQ(read_recipe(path, &name).seed, 42);
  EXPECT_EQ(name, "my_ model_ v1");
  write_image(path, image);
  EXPECT_THROW(read_recipe(path), UsageError);
}
INSTANTIATE_TEST_SUITE_P(Formats, ReadRecipe, ::testing::Values(".png", ".jpg", ".webp"));

}  // namespace
}  // namespace mezzo
