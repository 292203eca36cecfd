#include "tensor/blocks.h"

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/highway.h>

#include "tensor/blocks_simd.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

std::vector<float> normal_values(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> v(n);
  for (float& x : v) x = normal(random);
  return v;
}

// Root of the mean square of what is lost, over that of the values.
double relative_error(DType t, const std::vector<float>& in) {
  const auto n = static_cast<std::int64_t>(in.size());
  std::vector<std::byte> blocks(static_cast<std::size_t>(*byte_size(t, n)));
  std::vector<float> out(in.size());
  from_float(t, in.data(), n, blocks.data());
  to_float(t, blocks.data(), n, out.data());
  double lost = 0, all = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    lost += std::pow(double{in[i]} - out[i], 2);
    all += std::pow(double{in[i]}, 2);
  }
  return std::sqrt(lost / all);
}

TEST(Blocks, LoseWhatTheirBitsSay) {
  const auto in = normal_values(256 * 64, 1);
  EXPECT_LT(relative_error(DType::kQ8_0, in), 0.006);
  EXPECT_LT(relative_error(DType::kQ4_0, in), 0.095);
  EXPECT_LT(relative_error(DType::kNF4, in), 0.095);
  // Scales and minima of its own for every 32 values: the best of the four-bit types.
  EXPECT_LT(relative_error(DType::kQ4_K, in), 0.077);
  EXPECT_LT(relative_error(DType::kQ4_K, in), relative_error(DType::kQ4_0, in));
}

TEST(Blocks, OfCodesAreExact) {
  std::vector<float> in(64), out(64);
  for (std::size_t i = 0; i < 64; ++i) in[i] = 3.0f * kNF4Codes[(5 * i) % 16];
  std::byte block[36];
  from_float(DType::kNF4, in.data(), 64, block);
  to_float(DType::kNF4, block, 64, out.data());
  EXPECT_EQ(in, out);
}

TEST(Blocks, OfQ4KRepresentLinesExactly) {
  // q * 0.5 - 2 in every sub-block, from end to end: a scale and a minimum that the format has.
  std::vector<float> in(256), out(256);
  for (std::size_t i = 0; i < 256; ++i) in[i] = static_cast<float>(7 * i % 16) * 0.5f - 2;
  std::byte block[144];
  from_float(DType::kQ4_K, in.data(), 256, block);
  to_float(DType::kQ4_K, block, 256, out.data());
  for (std::size_t i = 0; i < 256; ++i) EXPECT_NEAR(in[i], out[i], 3e-3f) << i;
}

TEST(Blocks, TakeConstantsAndZeros) {
  for (const DType t : {DType::kQ4_K, DType::kNF4, DType::kQ4_0, DType::kQ8_0})
    for (const float value : {0.0f, 0.5f, -0.5f}) {
      SCOPED_TRACE(fmt::format("{} {}", name(t), value));
      std::vector<float> in(256, value), out(256, 9);
      std::vector<std::byte> block(static_cast<std::size_t>(*byte_size(t, 256)));
      from_float(t, in.data(), 256, block.data());
      to_float(t, block.data(), 256, out.data());
      for (const float x : out) ASSERT_NEAR(x, value, 2e-3f);
    }
}

// Any bits but those of infinite and NaN scales.
std::vector<std::byte> random_blocks(DType t, std::int64_t blocks) {
  std::mt19937 random(7);
  const auto bytes = static_cast<std::size_t>(info(t).bytes);
  std::vector<std::byte> out(static_cast<std::size_t>(blocks) * bytes);
  for (auto& b : out) b = static_cast<std::byte>(random());
  for (std::size_t i = 0; i < out.size(); i += bytes) {
    const float scale = 0.37f + static_cast<float>(i % 7);
    if (t == DType::kNF4 || t == DType::kFP4)
      std::memcpy(&out[i], &scale, 4);
    else
      for (std::size_t part = 0; part < 4; part += 2) out[i + part + 1] &= std::byte{0x3b};
  }
  return out;
}

TEST(Blocks, ExpandToTheSameBitsOnEveryInstructionSet) {
  const std::int64_t all = hwy::SupportedTargets();
  for (std::int64_t rest = all; rest != 0; rest &= rest - 1) {
    const std::int64_t target = rest & -rest;
    if (!(target & (HWY_SSE4 | HWY_AVX2 | HWY_AVX3 | HWY_NEON))) continue;
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(target);
    for (const DType t : {DType::kQ8_0, DType::kQ4_0, DType::kQ4_K, DType::kNF4, DType::kFP4})
      for (const std::int64_t blocks : {1, 2, 3, 7}) {
        SCOPED_TRACE(fmt::format("{} blocks of {}", blocks, name(t)));
        const auto in = random_blocks(t, blocks);
        const auto n = static_cast<std::size_t>(blocks * info(t).block);
        std::vector<float> plain(n), fast(n + 1, 42.0f);
        decode_blocks(t, in.data(), blocks, plain.data());
        ASSERT_TRUE(expand_blocks(t, in.data(), blocks, fast.data()));
        EXPECT_EQ(std::memcmp(plain.data(), fast.data(), n * sizeof(float)), 0);
        EXPECT_EQ(fast[n], 42.0f);
      }
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(all);
}

TEST(Blocks, TellWhatCanBeWritten) {
  EXPECT_TRUE(can_encode(DType::kQ4_K));
  EXPECT_TRUE(can_encode(DType::kF16));
  EXPECT_FALSE(can_encode(DType::kQ2_K));
  EXPECT_FALSE(can_encode(DType::kFP4));
  std::byte none;
  EXPECT_FALSE(expand_blocks(DType::kQ5_K, &none, 0, nullptr));
}

}  // namespace
}  // namespace mezzo
