#include "sampling/random.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "mezzotint/errors.h"
#include "sampling/brownian.h"
#include "sampling/image_noise.h"

namespace mezzo::sampling {
namespace {

TEST(Random, TorchSeedsAre32Bits) {
  EXPECT_EQ(TorchCpuGenerator(5).normal(40), TorchCpuGenerator((1ull << 32) + 5).normal(40));
  EXPECT_NE(PhiloxGenerator(5).normal(40), PhiloxGenerator((1ull << 32) + 5).normal(40));
}

TEST(Random, EachImageIsItsOwn) {
  // An image's noise is the same alone and in a batch.
  const ImageNoiseConfig both{.height = 8, .width = 8, .seeds = {3, 4}},
      second{.height = 8, .width = 8, .seeds = {4}};
  ImageNoise a(both), b(second);
  for (int draw = 0; draw < 3; ++draw) {
    const auto x = a.next(), y = b.next();
    EXPECT_TRUE(std::equal(y.begin(), y.end(), x.begin() + static_cast<std::ptrdiff_t>(y.size())));
  }
  EXPECT_THROW(ImageNoise({.height = 0, .seeds = {1}}), UsageError);
}

TEST(Brownian, IncrementsAddUpWhateverTheOrder) {
  BrownianTree a(0.1, 10, 200, 5), b(0.1, 10, 200, 5);
  const auto low = a.increment(0.5, 2), high = a.increment(2, 7), whole = b.increment(0.5, 7);
  double square = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_NEAR(low[i] + high[i], whole[i], 1e-5);
    square += static_cast<double>(whole[i]) * whole[i] / static_cast<double>(whole.size());
  }
  EXPECT_NEAR(square, 6.5, 2);
  EXPECT_EQ(b.increment(2, 7), high);
}

}  // namespace
}  // namespace mezzo::sampling
