// What a plan chooses, and that a run under it draws the same picture and keeps to it.
#include "pipeline/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/open_engine.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

std::string shipped() { return (test::source_dir() / "models" / "icons.gguf").string(); }

/// Questions about the shipped model.
class MemoryPlan : public testing::Test {
 protected:
  PlanQuestion question() { return {bundle_, options, precision_of(options), params}; }
  std::uint64_t peak(const MemoryStrategy& strategy) {
    return plan_request(question(), strategy).peak;
  }
  /// What is chosen under a limit.
  PlannedMemory under(std::uint64_t limit) {
    options.max_ram = limit;
    return fit_memory(question());
  }

  EngineOptions options{.weights = "f16"};
  GenerateParams params{.prompts = {"a red apple"}, .steps = 2, .width = 256, .height = 256};

 private:
  ModelBundle bundle_ = open_model(shipped());
};

MemoryStrategy smallest() {
  MemoryStrategy s;
  for (const MemoryMeasure& m : memory_measures()) m.apply(s);
  s.half_weights = s.eight_bits = false;  // the options say how weights are kept
  return s;
}

TEST_F(MemoryPlan, EveryMeasureIsAppliedOnceAndIsFound) {
  MemoryStrategy s;
  for (const MemoryMeasure& m : memory_measures()) {
    EXPECT_FALSE(takes(s, m)) << m.name;
    m.apply(s);
    const MemoryStrategy once = s;
    m.apply(s);
    EXPECT_EQ(s, once) << m.name;
    EXPECT_TRUE(takes(s, m)) << m.name;
  }
}

TEST_F(MemoryPlan, WhereEverythingFitsEverythingIsHeld) {
  const auto found = under(std::uint64_t{4} << 30);
  EXPECT_EQ(found.strategy, MemoryStrategy{});
  EXPECT_THAT(found.plan.measures, testing::IsEmpty());
}

TEST_F(MemoryPlan, EveryLimitIsKeptAndNothingIsDoneInVain) {
  const auto most = peak({}), least = peak(smallest());
  ASSERT_LT(least, most * 3 / 4);
  for (std::uint64_t limit = least; limit < most; limit += (most - least) / 5) {
    SCOPED_TRACE(limit >> 20);
    const auto found = under(limit);
    EXPECT_LE(found.plan.peak, limit);
    EXPECT_FALSE(found.plan.measures.empty());
    EXPECT_EQ(peak(found.strategy), found.plan.peak);
  }
}

TEST_F(MemoryPlan, WhatCannotFitIsRefusedWithTheChangeThatWould) {
  const auto least = peak(smallest());
  const auto setting = std::to_string((least >> 20) + 1) + "M";
  EXPECT_THAT([&] { under(least - (2 << 20)); },
              ThrowsMessage<OutOfMemory>(
                  AllOf(HasSubstr("--max-ram " + setting), HasSubstr("192x192 would fit"))));
  EXPECT_THAT([&] { under(1 << 20); },
              ThrowsMessage<OutOfMemory>(AllOf(HasSubstr("(--max-ram) is 1.0 MB"),
                                               HasSubstr("smaller model"), Not(HasSubstr("x64")))));
}

TEST_F(MemoryPlan, PresetsAreTheBeginningOfWhatIsChosen) {
  options.memory = "offload";
  EXPECT_EQ(preset_strategy(options, Precision::kF32).encoders,
            MemoryStrategy::Encoders::kReleased);
  options.memory = "low-ram";
  const auto low = preset_strategy(options, Precision::kF32);
  EXPECT_EQ(low.denoiser_held, 0u);
  EXPECT_EQ(low.vae, MemoryStrategy::Vae::kStreamed);
  EXPECT_FALSE(low.half_weights) << "the weights' type was given";
  EXPECT_EQ(under(std::uint64_t{4} << 30).strategy, low);
  options.memory = "tiny";
  EXPECT_THAT([&] { preset_strategy(options, Precision::kF32); },
              ThrowsMessage<UsageError>(HasSubstr("low-ram")));
}

/// The picture's bytes and the strategy's plan agree with a run.
TEST_F(MemoryPlan, PicturesDoNotDependOnWhatIsHeld) {
  params.width = params.height = 96;
  params.seed = 3;
  params.count = 3;
  const auto draw = [&](const EngineOptions& o) {
    std::vector<std::vector<std::uint8_t>> pictures;
    for (const Picture& p : Engine::open(shipped(), o).generate(params))
      pictures.push_back(p.image.pixels);
    return pictures;
  };
  const auto usual = draw(options);
  for (const char* memory : {"offload", "low-ram"}) {
    EngineOptions less = options;
    less.memory = memory;
    EXPECT_EQ(draw(less), usual) << memory;
  }
  EngineOptions limited = options;
  limited.max_ram = (peak({}) + peak(smallest())) / 2;
  EXPECT_EQ(draw(limited), usual);
}

/// A limit that a plan says is enough, is: with what steps keep for those after them, guidance that
/// begins and ends on the way, and previews.
TEST_F(MemoryPlan, ALimitOfThePlansPeakIsEnough) {
  params.width = params.height = 128;
  params.seed = 3;
  params.steps = 4;
  const auto draws = [&](int previews) {
    EngineOptions limited = options;
    const ModelBundle bundle = open_bundle(shipped(), options);
    const PlanQuestion q{bundle, limited, precision_of(options), params, previews > 0};
    const auto most = plan_request(q, {}).peak;
    const auto fits = [&](std::uint64_t limit) {
      limited.max_ram = limit;
      try {
        fit_memory(q);
        return true;
      } catch (const OutOfMemory&) {
        return false;
      }
    };
    std::uint64_t least = plan_request(q, smallest()).peak;
    while (!fits(least)) least += least / 100;
    for (const auto limit : {least, (least + most) / 2}) {
      limited.max_ram = limit;
      const auto drawn =
          Engine::open(shipped(), limited).generate(params, {.preview_every = previews});
      EXPECT_EQ(drawn.size(), 1u) << limit;
    }
  };
  for (const double drift : {0.0, 0.01}) {
    params.max_drift = drift;
    params.guidance_start = 0, params.guidance_stop = 1;
    draws(1);
    params.guidance_start = 0.3, params.guidance_stop = 0.7;
    draws(0);
  }
}

TEST_F(MemoryPlan, WhoDrawsOnceDoesNotHoldTheNetworksTogether) {
  params.width = params.height = 128;
  params.seed = 3;
  EngineOptions once = options;
  once.once = true;
  auto engine = Engine::open(shipped(), once);
  const auto first = engine.generate(params).at(0).image.pixels;
  EXPECT_EQ(engine.generate(params).at(0).image.pixels, first) << "read again";
  EXPECT_EQ(Engine::open(shipped(), options).generate(params).at(0).image.pixels, first);

  // A request that was cancelled leaves nothing to the next one.
  EngineOptions tight = once;
  tight.max_ram = plan_request(question(), {.once = true}).peak + (1 << 20);
  auto limited = Engine::open(shipped(), tight);
  RunOptions stops;
  std::stop_source source;
  stops.stop = source.get_token();
  stops.progress = [&](const Progress& p) {
    if (p.phase == Phase::kDenoise) source.request_stop();
  };
  EXPECT_THROW(limited.generate(params, stops), Cancelled);
  GenerateParams other = params;
  other.prompts = {"a banana"};
  EXPECT_EQ(limited.generate(other).size(), 1u);

  const auto decoding = [&](bool let_go) {
    return plan_request(question(), {.once = let_go}).phases.back().peak;
  };
  const auto kept = decoding(false);
  EXPECT_LT(decoding(true), kept);
  params.count = 64;  // more than one batch: the denoiser is needed after the first
  EXPECT_GT(decoding(true), kept);
}

TEST_F(MemoryPlan, ALoadedModelIsLoadedAnotherWayForALargerPicture) {
  params.width = params.height = 64;
  params.seed = 3;
  const auto small = peak({});
  options.max_ram = small + (8 << 20);
  auto engine = Engine::open(shipped(), options);
  const auto first = engine.generate(params).at(0).image.pixels;
  GenerateParams large = params;
  large.width = large.height = 192;
  EXPECT_EQ(engine.generate(large).at(0).image.width, 192);
  EXPECT_EQ(engine.generate(params).at(0).image.pixels, first);
}

}  // namespace
}  // namespace mezzo
