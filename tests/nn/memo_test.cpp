#include "nn/memo.h"

#include <cmath>

#include <gtest/gtest.h>

#include "backend/backend.h"
#include "ops/ops.h"

namespace mezzo {
namespace {

constexpr std::int64_t kSize = 1500;  // more than a block of the sums, and not a whole one

class Features : public ::testing::Test {
 protected:
  Tensor filled(float value) const {
    const Tensor x(host(), DType::kF32, {2, 3, kSize});
    std::fill_n(x.data<float>(), x.numel(), value);
    return backend->upload(x);
  }
  float value(const Tensor& x) const { return backend->download(x).data<float>()[6 * kSize - 1]; }
  /// What a network would be: its deep features change `ratio` times as much as the shallow ones.
  float call(DeepFeatures& deep, float shallow, float ratio) {
    return value(deep(filled(shallow), [&] {
      ++computed;
      return filled(1 + ratio * (shallow - 1));
    }));
  }

  std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
  int computed = 0;
};

TEST_F(Features, AreComputedEveryTimeWithoutABound) {
  DeepFeatures deep;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(call(deep, 1, 1), 1);
  EXPECT_EQ(computed, 5);
  EXPECT_EQ(deep.reused(), 0);
}

TEST_F(Features, AreUsedAgainWithinTheBound) {
  DeepFeatures deep(0.075);
  EXPECT_EQ(call(deep, 1.00f, 2), 1);
  EXPECT_FLOAT_EQ(call(deep, 1.01f, 2), 1.02f);
  EXPECT_FLOAT_EQ(call(deep, 1.02f, 2), 1.04f);  // only one ratio was known
  EXPECT_FLOAT_EQ(call(deep, 1.03f, 2), 1.04f);  // 0.02 are expected
  EXPECT_FLOAT_EQ(call(deep, 1.04f, 2), 1.04f);  // 0.04
  EXPECT_FLOAT_EQ(call(deep, 1.05f, 2), 1.10f);  // 0.06: too much
  EXPECT_EQ(computed, 4);
  EXPECT_EQ(deep.reused(), 2);
  EXPECT_NEAR(deep.drift(), 0.04, 0.004);  // of the last that was used
}

TEST_F(Features, TellWhatIsExpectedWhereNothingWasMeasuredAfterwards) {
  DeepFeatures deep(0.075);
  for (float shallow : {1.00f, 1.01f, 1.02f, 1.03f, 1.04f}) call(deep, shallow, 2);
  EXPECT_EQ(deep.reused(), 2);
  EXPECT_NEAR(deep.drift(), 0.04, 0.004);
  deep.forget();
  EXPECT_NEAR(deep.drift(), 0.04, 0.004);  // it happened
  EXPECT_FLOAT_EQ(call(deep, 1.04f, 2), 1.08f);
  EXPECT_EQ(deep.reused(), 2);
}

TEST_F(Features, ThatAreNoNumbersAreNotUsedAgain) {
  DeepFeatures deep(0.075);
  for (float shallow : {1.00f, 1.01f, 1.02f}) call(deep, shallow, 1);
  call(deep, std::nanf(""), 1);
  EXPECT_EQ(computed, 4);
}

TEST_F(Features, FollowTheLargerOfTwoRatios) {
  DeepFeatures deep(0.075);
  call(deep, 1.00f, 1);
  call(deep, 1.01f, 1);
  call(deep, 1.02f, 1);
  EXPECT_FLOAT_EQ(call(deep, 1.08f, 3), 1.24f);  // computed; the ratio is above 3 by now
  EXPECT_FLOAT_EQ(call(deep, 1.10f, 3), 1.30f);
  EXPECT_FLOAT_EQ(call(deep, 1.12f, 3), 1.36f);
  EXPECT_EQ(computed, 6);
}

TEST_F(Features, ThatDoNotChangeTellNothing) {
  DeepFeatures deep(0.075);
  for (int i = 0; i < 3; ++i) call(deep, 1, 1);
  EXPECT_EQ(computed, 3);
}

TEST_F(Features, AreCountedByAPlan) {
  backend = make_meta_backend();
  DeepFeatures deep(0.075);
  for (int i = 0; i < 3; ++i)
    deep(Tensor(*backend, DType::kF32, {2, 3, kSize}), [&] {
      ++computed;
      return Tensor(*backend, DType::kF32, {2, 3, kSize});
    });
  EXPECT_EQ(computed, 3);
}

TEST(Memo, KeepsWhatALayerMakesOfAText) {
  const auto backend = make_cpu_backend({.threads = 1});
  const auto make = [&] { return Tensor(*backend, DType::kF32, {1, 4}); };
  Memo memo;
  int layers[2];
  const Tensor first = remembered(&memo, &layers[0], make);
  EXPECT_EQ(remembered(&memo, &layers[0], make).raw(), first.raw());
  EXPECT_NE(remembered(&memo, &layers[1], make).raw(), first.raw());
  EXPECT_NE(remembered(nullptr, &layers[0], make).raw(), first.raw());
  memo.forget();
  EXPECT_NE(remembered(&memo, &layers[0], make).raw(), first.raw());
}

}  // namespace
}  // namespace mezzo
