// The shipped model with quantised weights against itself in 16 bits.
#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "mezzotint/engine.h"
#include "mezzotint/files.h"
#include "pipeline/quality.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

fs::path shipped_model() {
  const fs::path path = test::source_dir() / "models" / "icons.gguf";
  return fs::exists(path) ? path : fs::path();
}

Image draw(const std::string& weights, int threads = 0) {
  auto engine = Engine::open(shipped_model().string(), {.weights = weights, .threads = threads});
  return engine.generate({.prompts = {"a red apple"}, .steps = 10, .seed = 1}).at(0).image;
}

double psnr(const Image& a, const Image& b) {
  double squares = 1e-9;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    squares += std::pow(static_cast<double>(a.pixels[i]) - static_cast<double>(b.pixels[i]), 2);
  return 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.pixels.size()) / squares);
}

TEST(QuantisedGolden, PicturesStayCloseToThoseOf16Bits) {
  if (shipped_model().empty()) GTEST_SKIP() << "models/icons.gguf is absent";
  const Image exact = draw("f16");
  struct Case {
    const char* weights;
    double least;  // dB
  };
  for (const auto& [weights, least] :
       {Case{"q8_0", 30}, Case{"q4_k", 16}, Case{"nf4", 16}, Case{"q4_0", 14}}) {
    const double got = psnr(draw(weights), exact);
    RecordProperty(weights, std::to_string(got));
    std::printf("%s: %.1f dB\n", weights, got);
    EXPECT_GE(got, least) << weights;
  }
}

// What int8 arithmetic changes in a prediction, given the same input.
TEST(QuantisedGolden, IntegersChangeAStepByLessThanTwoPercent) {
  if (shipped_model().empty()) GTEST_SKIP() << "models/icons.gguf is absent";
  const auto quality =
      compare_precision(open_model(shipped_model().string()), Precision::kInt8, {});
  for (const auto& n : quality.networks) {
    std::printf("%s: error %.4f, cosine %.6f\n", n.name.c_str(), n.error, n.cosine);
    EXPECT_LT(n.error, 0.02) << n.name;
  }
  std::printf("picture: %.1f dB\n", quality.psnr);
  EXPECT_GE(quality.psnr, 25);
}

TEST(QuantisedGolden, BytesDoNotDependOnThreads) {
  if (shipped_model().empty()) GTEST_SKIP() << "models/icons.gguf is absent";
  const Image one = draw("unet=q4_k,q8_0", 1);
  for (const int threads : {2, 4}) EXPECT_EQ(draw("unet=q4_k,q8_0", threads).pixels, one.pixels);
}

TEST(QuantisedGolden, AFileOfBlocksDrawsLikeBlocksMadeAtLoad) {
  if (shipped_model().empty()) GTEST_SKIP() << "models/icons.gguf is absent";
  const fs::path file = test::scratch_dir("quantised") / "q8.gguf";
  const auto report =
      convert(shipped_model().string(), file.string(), {.weights = "q8_0", .quality = true});
  EXPECT_LE(report.bytes_out, report.bytes_in * 21 / 20);  // its large weights are q8_0 already
  ASSERT_TRUE(report.quality);
  EXPECT_GE(report.quality->psnr, 30);
  for (const auto& n : report.quality->networks) {
    SCOPED_TRACE(n.name);
    EXPECT_LT(n.error, 0.03);
    EXPECT_GT(n.cosine, 0.999);
  }
  ASSERT_GT(report.quality->layers.size(), 30u);
  EXPECT_GE(report.quality->layers.front().error, report.quality->layers.back().error);
  EXPECT_TRUE(std::ranges::any_of(report.quality->layers, &WeightQuality::Layer::kept));
  auto engine = Engine::open(file.string());
  const Image drawn =
      engine.generate({.prompts = {"a red apple"}, .steps = 10, .seed = 1}).at(0).image;
  // Norms and biases of the file are float16, those of the model loaded so keep its type.
  EXPECT_GE(psnr(drawn, draw("q8_0")), 45);
}

}  // namespace
}  // namespace mezzo
