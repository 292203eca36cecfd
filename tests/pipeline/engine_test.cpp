// The engine with the shipped model: what a picture depends on, and what it must not depend on.
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "mezzotint/files.h"
#include "pipeline/open_engine.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

std::string shipped() { return (test::source_dir() / "models" / "icons.gguf").string(); }

GenerateParams request(std::vector<std::string> prompts) {
  GenerateParams p;
  p.prompts = std::move(prompts);
  p.steps = 3;
  p.seed = 7;
  return p;
}

Image grey(int width, int height, int channels, std::uint8_t value) {
  Image image;
  image.width = width;
  image.height = height;
  image.channels = channels;
  image.pixels.assign(static_cast<std::size_t>(width * height * channels), value);
  return image;
}

/// A mask whose right half is white.
Image half_mask(int side) {
  Image mask = grey(side, side, 1, 0);
  for (int y = 0; y < side; ++y) std::fill(mask.row(y) + side / 2, mask.row(y) + side, 255);
  return mask;
}

// Whoever asks for all weights as float32 wants products of them too.
TEST(Engine, WeightsOfFloat32AreMultipliedAsFloat32) {
  EXPECT_EQ(precision_of({.weights = "f32"}), Precision::kF32);
  EXPECT_EQ(precision_of({.weights = "unet=f32"}), Precision::kAuto);
  EXPECT_EQ(precision_of({}), Precision::kAuto);
}

TEST(Engine, DefaultsComeFromTheModelFile) {
  const auto engine = Engine::open(shipped());
  const auto p = engine.resolve(request({"a red apple"}));
  EXPECT_EQ(p.width, 128);
  EXPECT_EQ(p.height, 128);
  EXPECT_EQ(*p.guidance, 2.5);
  EXPECT_EQ(engine.info().steps, 20);
  EXPECT_EQ(engine.info().sampler, "ddim");
  EXPECT_GT(engine.info().objects.size(), 100u);
}

TEST(Engine, GuidanceMayBeLimitedToSomeOfTheSteps) {
  auto engine = Engine::open(shipped());
  const auto pixels = [&](double start, double stop, double guidance) {
    auto p = request({"a red apple"});
    p.guidance = guidance;
    p.guidance_start = start;
    p.guidance_stop = stop;
    return engine.generate(p).at(0).image.pixels;
  };
  const auto always = pixels(0, 1, 5);
  EXPECT_EQ(pixels(0, 0, 5), pixels(0, 1, 1));  // never: as without guidance
  EXPECT_NE(pixels(0, 0.5, 5), always);
  EXPECT_NE(pixels(0.5, 1, 5), always);
  EXPECT_NE(pixels(0, 0.5, 5), pixels(0, 0, 5));
}

TEST(Engine, StepsMayUseFeaturesAgainAndSaySo) {
  auto engine = Engine::open(shipped());
  auto p = request({"a red apple", "a purple heart"});
  p.steps = 12;
  const auto exact = engine.generate(p);
  EXPECT_EQ(exact[0].reuse.calls, 12);
  EXPECT_EQ(exact[0].reuse.reused, 0);
  EXPECT_EQ(exact[0].infotext.find("Reused"), std::string::npos);

  p.max_drift = 0.3;
  const auto fast = engine.generate(p);
  const Reuse& reuse = fast[0].reuse;
  EXPECT_EQ(reuse.calls, 12);
  EXPECT_GT(reuse.reused, 0);
  EXPECT_LE(reuse.reused, 10);  // the ratio is known after two
  EXPECT_NE(fast[0].image.pixels, exact[0].image.pixels);
  EXPECT_NE(fast[0].infotext.find(
                fmt::format("Max drift: 0.3, Reused: {} of 12 calls, Drift: ", reuse.reused)),
            std::string::npos)
      << fast[0].infotext;

  p.prompts = {"a purple heart"};
  EXPECT_EQ(engine.generate(p).at(0).image.pixels, fast[1].image.pixels);  // alone or in company
}

TEST(Engine, APictureIsTheSameAloneAndInCompany) {
  auto engine = Engine::open(shipped());
  auto both = request({"a red apple", "a purple heart"});
  both.count = 2;
  const auto together = engine.generate(both);
  ASSERT_EQ(together.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    auto alone = request({both.prompts[i / 2]});
    alone.seed = 7 + static_cast<std::int64_t>(i % 2);
    EXPECT_EQ(engine.generate(alone).at(0).image.pixels, together[i].image.pixels) << i;
    EXPECT_EQ(together[i].seed, alone.seed);
  }
  EXPECT_NE(together[0].image.pixels, together[1].image.pixels);
}

TEST(Engine, ThreadsAndStoredWeightsDoNotChangeAPicture) {
  std::vector<std::uint8_t> first;
  for (int threads : {1, 2, 3}) {
    EngineOptions options;
    options.threads = threads;
    options.precision = "f32";
    const auto pixels =
        Engine::open(shipped(), options).generate(request({"a blue car"})).at(0).image.pixels;
    if (first.empty()) first = pixels;
    EXPECT_EQ(pixels, first) << threads << " threads";
  }
}

TEST(Engine, InpaintingChangesOnlyWhatIsWhite) {
  auto engine = Engine::open(shipped());
  auto p = request({"a red apple"});
  p.init = grey(128, 128, 3, 200);
  p.mask = half_mask(128);
  const Image out = engine.generate(p).at(0).image;
  int changed = 0;
  for (int y = 0; y < 128; ++y)
    for (int x = 0; x < 128; ++x)
      for (int c = 0; c < 3; ++c) {
        const int v = out.row(y)[3 * x + c];
        if (x < 64)
          ASSERT_EQ(v, 200) << x << "," << y;
        else
          changed += v != 200;
      }
  EXPECT_GT(changed, 1000);
}

TEST(Engine, AStoppedRunThrowsCancelled) {
  auto engine = Engine::open(shipped());
  std::stop_source stop;
  RunOptions run;
  run.stop = stop.get_token();
  int steps = 0;
  run.progress = [&](const Progress& p) {
    if (p.phase == Phase::kDenoise && ++steps == 1) stop.request_stop();
  };
  EXPECT_THROW(engine.generate(request({"a red apple"}), run), Cancelled);
  EXPECT_EQ(steps, 1);
  EXPECT_EQ(engine.generate(request({"a red apple"})).size(), 1u) << "the engine still works";
}

TEST(Engine, RefusesWhatCannotBeDrawnSayingWhatToDo) {
  auto engine = Engine::open(shipped());
  const auto refused = [&](auto&& change, const char* text) {
    auto p = request({"a red apple"});
    change(p);
    EXPECT_THAT([&] { engine.generate(p); }, ThrowsMessage<UsageError>(HasSubstr(text)));
  };
  refused([](auto& p) { p.guidance = std::nan(""); }, "guidance");
  refused([](auto& p) { p.width = 100; }, "multiple");
  refused([](auto& p) { p.mask = half_mask(128); }, "init");
  refused(
      [](auto& p) {
        p.init = grey(128, 128, 3, 9);
        p.mask = half_mask(64);
      },
      "64x64");
  refused(
      [](auto& p) {
        p.init = grey(128, 128, 3, 9);
        p.mask = grey(128, 128, 1, 0);
      },
      "white");
  refused([](auto& p) { p.sampler = "nonsense"; }, "nonsense");
  refused([](auto& p) { p.clip_skip = 5; }, "clip skip");
  refused(
      [](auto& p) {
        p.init = grey(128, 128, 3, 9);
        p.strength = 0.1;
      },
      "strength");
}

TEST(Engine, EverySamplerDrawsWithTheShippedModel) {
  auto engine = Engine::open(shipped());
  for (const auto& [name, display] : sampler_names()) {
    SCOPED_TRACE(name);
    auto p = request({"a red apple"});
    p.sampler = name;
    p.width = p.height = 32;
    p.steps = 4;
    EXPECT_EQ(engine.generate(p).size(), 1u);
  }
}

TEST(Engine, PicturesOfAnAdaptiveSamplerAreTheSameInCompany) {
  auto engine = Engine::open(shipped());
  auto p = request({"a red apple"});
  p.sampler = "dpm_adaptive";
  p.width = p.height = 32;
  p.count = 2;
  const auto both = engine.generate(p);
  p.seed = 8;
  p.count = 1;
  EXPECT_EQ(engine.generate(p).at(0).image.pixels, both.at(1).image.pixels);
}

TEST(Engine, ALargeStartingPictureIsDrawnAtTheModelsSize) {
  auto engine = Engine::open(shipped());
  auto p = request({"a red apple"});
  p.init = grey(1000, 500, 3, 9);
  const auto q = engine.resolve(p);
  EXPECT_EQ(q.width, 176);
  EXPECT_EQ(q.height, 88);
  p.init = grey(150, 130, 3, 9);
  EXPECT_EQ(engine.resolve(p).width, 144);
  p.width = 256;
  EXPECT_EQ(engine.resolve(p).width, 256);
}

TEST(Engine, TheMaskedPartBeginsAsAskedFor) {
  auto engine = Engine::open(shipped());
  auto p = request({"a red apple"});
  p.init = grey(64, 64, 3, 120);
  p.mask = half_mask(64);
  p.strength = 0.7;
  std::set<std::vector<std::uint8_t>> seen;
  for (const char* content : {"original", "fill", "noise", "empty"}) {
    p.masked_content = content;
    const Image drawn = engine.generate(p).at(0).image;
    EXPECT_EQ(drawn.row(5)[0], 120);
    seen.insert(drawn.pixels);
  }
  EXPECT_EQ(seen.size(), 3u);  // in an even picture the colours around are the original
}

TEST(Engine, OnlyTheMaskedPartIsDrawnAtTheModelsSize) {
  auto engine = Engine::open(shipped());
  auto p = request({"a red apple"});
  p.init = grey(300, 200, 3, 120);
  p.mask = grey(300, 200, 1, 0);
  for (int y = 80; y < 120; ++y) std::fill_n(p.mask->row(y) + 200, 40, std::uint8_t{255});
  p.only_masked = true;
  const auto picture = engine.generate(p).at(0);
  ASSERT_EQ(picture.image.width, 300);
  EXPECT_EQ(picture.image.row(100)[3 * 100], 120);
  EXPECT_NE(picture.image.row(100)[3 * 220], 120);
  EXPECT_THAT(picture.infotext, HasSubstr("Size: 128x128"));
  EXPECT_THAT(picture.infotext, HasSubstr("Inpaint area: Only masked"));
}

TEST(Engine, WholeRunsAreMeasured) {
  std::vector<std::string> said;
  set_log_sink([&](LogLevel, std::string_view text) { said.emplace_back(text); });
  auto engine = Engine::open(shipped());
  const auto json =
      engine.bench({.width = 32, .height = 32, .steps = 2, .repeats = 1, .whole = true});
  set_log_sink({});
  EXPECT_THAT(json, HasSubstr("\"total\":\"measured\""));
  EXPECT_THAT(said, testing::IsEmpty());
}

TEST(Engine, WhatIsNotUnderstoodInAPromptIsToldOnceInEachRequest) {
  std::vector<std::string> said;
  set_log_sink([&](LogLevel, std::string_view text) { said.emplace_back(text); });
  auto engine = Engine::open(shipped());
  const GenerateParams p{.prompts = {"a lion (dog:1.3)", "a lion (dog:1.3)"},
                         .steps = 1,
                         .width = 32,
                         .height = 32,
                         .count = 9};
  for (std::size_t requests = 1; requests <= 2; ++requests) {
    engine.generate(p);
    EXPECT_THAT(said, testing::SizeIs(requests));
  }
  set_log_sink({});
  EXPECT_THAT(said, testing::Each(HasSubstr("(dog:1.3)")));
}

TEST(Engine, MemoryLimitIsCheckedBeforeLoading) {
  EngineOptions options;
  options.max_ram = 8u << 20;
  EXPECT_THAT([&] { Engine::open(shipped(), options); },
              ThrowsMessage<OutOfMemory>(HasSubstr("--max-ram")));
}

TEST(Engine, RecipesMakeThePictureAgain) {
  auto engine = Engine::open(shipped());
  const auto first = engine.generate(request({"a green butterfly"})).at(0);
  const auto path = (test::scratch_dir("recipe") / "a.png").string();
  save_picture(path, first);
  EXPECT_EQ(engine.generate(read_recipe(path)).at(0).image.pixels, first.image.pixels);
  EXPECT_THAT(first.infotext, HasSubstr("Steps: 3"));
}

}  // namespace
}  // namespace mezzo
