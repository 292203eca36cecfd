#include "backend/cpu/winograd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/cpu/isa.h"
#include "reference.h"
#include "tensor/convert.h"
#include "tolerances.h"

namespace mezzo {
namespace {

struct Case {
  std::int64_t images, h, w;
  Conv2dConfig config;
};

// Sides that tiles do and do not divide, pictures smaller than a tile, either operand the larger,
// channels in several chunks, one-sided padding.
const std::vector<Case> kCases = {
    {1, 8, 8, {.in = 32, .out = 64}},
    {2, 13, 10, {.in = 64, .out = 96}},
    {1, 1, 3, {.in = 32, .out = 32}},
    {2, 24, 25, {.in = 16, .out = 32}},
    {2, 21, 22, {.in = 320, .out = 96}},  // two pieces of the weights, two slabs of tiles
    {1, 47, 45, {.in = 16, .out = 64}},
    {1, 7, 9, {.in = 640, .out = 960}},
    {1,
     9,
     14,
     {.in = 32, .out = 64, .pad_top = 0, .pad_left = 2, .pad_bottom = 1, .pad_right = 0}}};

bool multiplies_int16() { return cpu_has_vnni() && !cpu_multiplies_bf16(); }

struct Layer {
  Tensor x, weight, bias;
  Epilogue epilogue;
};

Layer layer(const Case& c, DType type) {
  const auto& k = c.config;
  Layer l = {test::random_tensor({c.images, c.h, c.w, k.in}, 1),
             cast(test::random_tensor({k.out, k.in, 3, 3}, 2), type),
             test::random_tensor({k.out}, 3),
             {.channel_add = test::random_tensor({c.images, k.out}, 4)}};
  l.epilogue.add = test::random_tensor(test::conv_shape(l.x, k), 5);
  return l;
}

// The layer by tiles of m x m; an undefined tensor where this CPU has no such plan.
Tensor run(const Case& c, const Layer& l, Precision precision, int m, int threads,
           kernels::Operands operands = kernels::Operands::kFloat) {
  const auto backend = make_cpu_backend();
  const PackedPtr packed = backend->pack_conv2d(l.weight, l.bias, c.config, precision);
  const auto& weights = static_cast<const PackedWeight&>(*packed);
  const auto plan = plan_winograd(weights, c.h, c.w, m, operands);
  if (!plan) return {};
  Tensor out(host(), DType::kF32, test::conv_shape(l.x, c.config));
  const ProductCall call = {weights, l.epilogue, l.x, out, c.images, c.h, c.w, threads, true};
  std::vector<std::byte> scratch(winograd_scratch(call, *plan));
  run_winograd(call, *plan, scratch.data());
  return out;
}

test::Values expected(const Case& c, const Layer& l) {
  const Shape shape = test::conv_shape(l.x, c.config);
  test::Values y = test::conv2d(l.x, cast(l.weight, DType::kF32), l.bias, c.config, shape);
  test::finish(y, l.epilogue, shape[1] * shape[2] * shape[3], shape[3]);
  return y;
}

TEST(Winograd, EqualsThePlainLoopsOnEveryInstructionSet) {
  for (const Case& c : kCases) {
    const Layer l = layer(c, DType::kF32);
    const test::Values y = expected(c, l);
    test::for_each_target([&](const std::string& target) {
      for (const int m : {4, 6}) {
        SCOPED_TRACE(
            fmt::format("{} {}x{} {}->{} m{}", target, c.h, c.w, c.config.in, c.config.out, m));
        const Tensor out = run(c, l, Precision::kF32, m, 2);
        if (!out.defined()) continue;  // vectors that do not fit the weights' blocks
        EXPECT_LT(test::relative_error(out, y), test::kWinograd);
      }
    });
  }
}

TEST(Winograd, Float16WeightsAndThreadsGiveTheBitsOfFloat32) {
  if (cpu_multiplies_bf16()) GTEST_SKIP() << "this CPU multiplies bfloat16";
  for (const Case& c : kCases) {
    const Layer l = layer(c, DType::kF16);
    for (const int m : {4, 6}) {
      const Tensor out = run(c, l, Precision::kF32, m, 1);
      ASSERT_TRUE(out.defined());
      EXPECT_TRUE(test::same_bits(out, run(c, l, Precision::kBF16, m, 3)));
    }
  }
}

// Of weights as they are and of 8 bits, whose rounding is not this algorithm's.
TEST(Winograd, IntegersOf16BitsAreCloseToThePlainLoops) {
  if (!multiplies_int16()) GTEST_SKIP() << "needs AVX512-VNNI";
  constexpr auto kInt16 = kernels::Operands::kInt16;
  double worst = 0;
  for (const Case& c : kCases)
    for (const DType type : {DType::kF32, DType::kQ8_0}) {
      if (c.config.in * 9 % info(type).block) continue;
      SCOPED_TRACE(fmt::format("{} {}x{} {}->{}", name(type), c.h, c.w, c.config.in, c.config.out));
      const Layer l = layer(c, type);
      const test::Values y = expected(c, l);
      const Tensor out = run(c, l, Precision::kBF16, 4, 2, kInt16);
      ASSERT_TRUE(out.defined());
      worst = std::max(worst, test::relative_error(out, y));
      EXPECT_TRUE(test::same_bits(out, run(c, l, Precision::kBF16, 4, 3, kInt16)));
      const Tensor of_8_bits = run(c, l, Precision::kInt8, 4, 1, kInt16);
      EXPECT_LT(test::relative_error(of_8_bits, y), test::kProductInt8);
      EXPECT_TRUE(test::same_bits(of_8_bits, run(c, l, Precision::kInt8, 4, 2, kInt16)));
      EXPECT_FALSE(run(c, l, Precision::kF32, 4, 1, kInt16).defined());
    }
  RecordProperty("worst", std::to_string(worst));
  EXPECT_LT(worst, test::kWinogradInt16);
}

TEST(Winograd, IntegersShowWhatIsNotANumber) {
  if (!multiplies_int16()) GTEST_SKIP() << "needs AVX512-VNNI";
  const Case c = {1, 12, 12, {.in = 32, .out = 32}};
  Layer l = layer(c, DType::kF32);
  l.x.data<float>()[(6 * 12 + 5) * 32 + 7] = NAN;
  const auto y = test::values(run(c, l, Precision::kBF16, 4, 1, kernels::Operands::kInt16));
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t row = i / 32 / 12, column = i / 32 % 12;
    const bool reads_it = row >= 5 && row <= 7 && column >= 4 && column <= 6,
               same_tile = row / 4 == 1 && column / 4 == 1;
    EXPECT_TRUE(std::isnan(y[i]) || !reads_it) << i;
    EXPECT_TRUE(!std::isnan(y[i]) || same_tile) << i;
  }
}

// Equal pixels and weights give the largest sums, of every point that is not zero.
TEST(Winograd, IntegersOf16BitsDoNotOverflow) {
  if (!multiplies_int16()) GTEST_SKIP() << "needs AVX512-VNNI";
  const Case c = {1, 12, 12, {.in = 320, .out = 32}};
  Layer l = layer(c, DType::kF32);
  std::fill_n(l.x.data<float>(), l.x.numel(), 1.0f);
  std::fill_n(l.weight.data<float>(), l.weight.numel(), 1.0f);
  EXPECT_LT(test::relative_error(run(c, l, Precision::kAuto, 4, 2, kernels::Operands::kInt16),
                                 expected(c, l)),
            test::kWinogradInt16);
}

// What two pictures of a batch give is what each gives alone, although a batch may be cut in
// another way.
TEST(Winograd, APictureIsTheSameAloneAndInABatch) {
  const Conv2dConfig config = {.in = 64, .out = 64};
  const Case both = {2, 20, 20, config}, one = {1, 20, 20, config};
  const Layer l = layer(both, DType::kF32);
  for (const auto operands : {kernels::Operands::kFloat, kernels::Operands::kInt16}) {
    const Tensor out = run(both, l, Precision::kAuto, 4, 2, operands);
    for (std::int64_t i = 0; out.defined() && i < 2; ++i) {
      Layer alone = l;
      alone.x = l.x.slice(0, i, i + 1);
      alone.epilogue = {.channel_add = l.epilogue.channel_add.slice(0, i, i + 1),
                        .add = l.epilogue.add.slice(0, i, i + 1)};
      EXPECT_TRUE(test::same_bits(run(one, alone, Precision::kAuto, 4, 2, operands),
                                  out.slice(0, i, i + 1)));
    }
  }
}

// Layers of Stable Diffusion 1.x and its decoder: large pictures by large tiles, and none where the
// weights are the work.
TEST(Winograd, IsChosenWhereItSavesTime) {
  if (cpu_multiplies_bf16()) GTEST_SKIP() << "this CPU multiplies bfloat16";
  const auto backend = make_meta_backend();
  const auto chosen = [&](std::int64_t channels, std::int64_t side,
                          Precision precision = Precision::kF32) {
    const Tensor weight(host(), DType::kF16, {channels, channels, 3, 3});
    const Conv2dConfig config = {.in = channels, .out = channels};
    const PackedPtr w = backend->pack_conv2d(weight, {}, config, precision);
    Tensor x(*backend, DType::kF32, {1, side, side, channels}),
        out(*backend, DType::kF32, x.shape());
    OpLog log;
    backend->set_log(&log);
    backend->conv2d(x, *w, {}, out);
    backend->set_log(nullptr);
    return log.records.at(0).algorithm;
  };
  EXPECT_EQ(chosen(512, 128), "winograd 6x6 f32");
  EXPECT_THAT(chosen(320, 64), testing::HasSubstr("winograd"));
  EXPECT_EQ(chosen(1280, 4), "direct f32");
  if (!multiplies_int16()) return;
  EXPECT_EQ(chosen(512, 128, Precision::kAuto), "winograd 4x4 int16");
  EXPECT_EQ(chosen(640, 32, Precision::kInt8), "winograd 4x4 int16");
  EXPECT_EQ(chosen(1280, 16, Precision::kInt8), "direct int8");
}

}  // namespace
}  // namespace mezzo
