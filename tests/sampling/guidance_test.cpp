#include "sampling/guidance.h"

#include <cmath>

#include <gtest/gtest.h>

namespace mezzo::sampling {
namespace {

TEST(Guidance, Extrapolates) {
  const Latents got = guide(Latents({1, 2}), Latents({2, 0}), 3);
  EXPECT_DOUBLE_EQ(got[0], 4);
  EXPECT_DOUBLE_EQ(got[1], -4);
}

TEST(Guidance, MovesAwayFromAWeakerNetwork) {
  const Latents got = guide_away(Latents({1, 2}), Latents({3, 5}), Latents({2, 7}), 2.5);
  EXPECT_DOUBLE_EQ(got[0], 3.5);
  EXPECT_DOUBLE_EQ(got[1], -3);
}

TEST(Guidance, RescalePerSample) {
  const Latents conditional({1, -1, 3, -3}), guided({4, -4, 3, -3});
  const Latents all = rescale_guidance(guided, conditional, 1, 2);
  EXPECT_DOUBLE_EQ(all[0], 1);
  EXPECT_DOUBLE_EQ(all[2], 3);
  const Latents part = rescale_guidance(guided, conditional, 0.5, 2);
  EXPECT_DOUBLE_EQ(part[0], 2.5);
  const Latents none = rescale_guidance(guided, conditional, 0, 2);
  EXPECT_DOUBLE_EQ(none[1], -4);
}

}  // namespace
}  // namespace mezzo::sampling
