#include "backend/cpu/packed_weight.h"

#include <array>
#include <cstring>

#include <gtest/gtest.h>

#include "backend/cpu/kernels/kernels.h"
#include "reference.h"
#include "tensor/blocks.h"
#include "tensor/convert.h"
#include "tolerances.h"

namespace mezzo {
namespace {

constexpr double kSame = 1e-5;  // of products on the same numbers kept as float32

// A tensor of blocks of any type: types that cannot be written get random codes.
Tensor quantised(const Tensor& x, DType t) {
  if (can_encode(t)) return cast(x, t);
  Tensor out(host(), t, x.shape());
  auto* bytes = out.data<std::uint8_t>();
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < out.bytes(); ++i)
    bytes[i] = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  for (std::size_t i = 0; i < out.bytes(); i += static_cast<std::size_t>(info(t).bytes)) {
    const float scale = 0.01f;
    if (info(t).block == 64) std::memcpy(bytes + i, &scale, sizeof(scale));
    // Both halves of every float16 scale, wherever the type has them: small numbers.
    if (info(t).block != 64)
      for (int j = 0; j < info(t).bytes; ++j) bytes[i + static_cast<std::size_t>(j)] &= 0x2f;
  }
  return out;
}

constexpr std::array kTypes = {DType::kQ8_0,   DType::kQ4_0,  DType::kQ4_1, DType::kQ5_0,
                               DType::kQ5_1,   DType::kQ2_K,  DType::kQ3_K, DType::kQ4_K,
                               DType::kQ5_K,   DType::kQ6_K,  DType::kNF4,  DType::kFP4,
                               DType::kF8E4M3, DType::kF8E5M2};

Tensor linear(Backend& backend, const Tensor& x, const Tensor& weight, const Tensor& bias,
              Precision precision = Precision::kF32) {
  const PackedPtr packed = backend.pack_linear(weight, bias, precision);
  Tensor out(backend, DType::kF32, {x.dim(0), x.dim(1), weight.dim(0)});
  backend.linear(backend.upload(x), *packed, {}, out);
  return backend.download(out);
}

Tensor conv2d(Backend& backend, const Tensor& x, const Tensor& weight, const Conv2dConfig& c) {
  const PackedPtr packed = backend.pack_conv2d(weight, {}, c, Precision::kF32);
  Tensor out(backend, DType::kF32, test::conv_shape(x, c));
  backend.conv2d(backend.upload(x), *packed, {}, out);
  return backend.download(out);
}

TEST(KeptWeights, GiveTheProductOfTheirValues) {
  const auto backend = make_cpu_backend();
  using Sides = std::pair<std::int64_t, std::int64_t>;
  for (const auto& [in, out] : {Sides{256, 40}, Sides{768, 320}, Sides{1280, 2051}})
    for (const DType t : kTypes) {
      SCOPED_TRACE(fmt::format("{} {} -> {}", name(t), in, out));
      const Tensor x = test::random_tensor({2, 5, in}, 1), bias = test::random_tensor({out}, 3);
      const Tensor weight = quantised(test::random_tensor({out, in}, 2), t);
      const auto expected = test::values(linear(*backend, x, cast(weight, DType::kF32), bias));
      for (const Precision p : {Precision::kF32, Precision::kBF16}) {
        const bool rounds = p == Precision::kBF16 && cpu_multiplies_bf16();
        EXPECT_LT(test::relative_error(linear(*backend, x, weight, bias, p), expected),
                  rounds ? test::kProductBf16 : kSame);
      }
    }
}

TEST(KeptWeights, AreConvolvedDirectlyAndByWinograd) {
  for (const bool winograd : {false, true}) {
    const auto backend = make_cpu_backend({.winograd = winograd});
    for (const Conv2dConfig& c :
         {Conv2dConfig{.in = 64, .out = 64}, Conv2dConfig{.in = 320, .out = 96},
          Conv2dConfig{.in = 256, .out = 40, .stride = 2},
          Conv2dConfig{.in = 96,
          .out = 64,
          .kernel = 1,
          .pad_top = 0,
          .pad_left = 0,
          .pad_bottom = 0,
          .pad_right = 0}})
      for (const DType t : kTypes) {
        const Shape shape = {c.out, c.in, c.kernel, c.kernel};
        if (c.in * c.kernel * c.kernel % info(t).block) continue;
        SCOPED_TRACE(fmt::format("{} {} winograd {}", name(t), to_string(shape), winograd));
        const Tensor x = test::random_tensor({1, 24, 25, c.in}, 1);
        const Tensor weight = quantised(test::random_tensor(shape, 2), t);
        const auto expected = test::values(conv2d(*backend, x, cast(weight, DType::kF32), c));
        EXPECT_LT(test::relative_error(conv2d(*backend, x, weight, c), expected), 4 * kSame);
      }
  }
}

TEST(KeptWeights, MayHaveFewChannels) {
  const auto backend = make_cpu_backend();
  for (const Conv2dConfig& c : {Conv2dConfig{.in = 3, .out = 20}, Conv2dConfig{.in = 12, .out = 8},
                                Conv2dConfig{.in = 4, .out = 3}}) {
    SCOPED_TRACE(c.in);
    const Tensor x = test::random_tensor({1, 9, 11, c.in}, 1),
                 weight = cast(test::random_tensor({c.out, c.in, 3, 3}, 2), DType::kF8E4M3);
    EXPECT_LT(test::relative_error(conv2d(*backend, x, weight, c),
                                   test::values(conv2d(*backend, x, cast(weight, DType::kF32), c))),
              kSame);
  }
}

TEST(KeptWeights, TakeAsManyBytesAsInTheFile) {
  const auto backend = make_cpu_backend(), meta = make_meta_backend();
  for (const DType t : kTypes) {
    SCOPED_TRACE(name(t));
    const Tensor weight = quantised(test::random_tensor({300, 2304}, 2), t),
                 bias = test::random_tensor({304}, 3).slice(0, 0, 300);
    const PackedPtr packed = backend->pack_linear(weight, bias, Precision::kBF16);
    EXPECT_EQ(packed->bytes(), weight.bytes() + 304 * 4);
    EXPECT_EQ(packed->bytes(), meta->pack_linear(weight, bias, Precision::kBF16)->bytes());
  }
}

TEST(KeptWeights, GiveTheSameBytesWithAnyNumberOfThreads) {
  const Conv2dConfig c = {.in = 256, .out = 160};
  for (const DType t : {DType::kQ8_0, DType::kQ4_K, DType::kNF4}) {
    const Tensor x = test::random_tensor({1, 16, 16, c.in}, 1), tokens = x.view({1, 256, c.in}),
                 kernel = cast(test::random_tensor({c.out, c.in, 3, 3}, 2), t),
                 matrix = cast(test::random_tensor({5000, c.in}, 4), t),
                 bias = test::random_tensor({5000}, 5);
    const auto one = make_cpu_backend({.threads = 1});
    for (const int threads : {2, 4}) {
      const auto more = make_cpu_backend({.threads = threads});
      EXPECT_TRUE(test::same_bits(conv2d(*one, x, kernel, c), conv2d(*more, x, kernel, c)));
      EXPECT_TRUE(
          test::same_bits(linear(*one, tokens, matrix, bias), linear(*more, tokens, matrix, bias)));
    }
  }
}

// Every kind of operand, both widths, every height of a strip, one tap and several, on every
// instruction set, against plain loops.
TEST(MultiplyPanel, EqualsThePlainLoops) {
  using kernels::Operands;
  constexpr std::int64_t kDepth = 7, kTapWords = 11, kStride = 40;
  test::for_each_target([&](const std::string& target) {
    for (const Operands operands : {Operands::kFloat, Operands::kBF16, Operands::kInt8})
      for (const std::int64_t width : {kernels::panel_width(), kernels::panel_width() / 2})
        for (const std::int64_t taps : {1, 3})
          for (std::int64_t rows = 1; rows <= 26; ++rows) {
            SCOPED_TRACE(fmt::format("{}: operands {}, width {}, taps {}, rows {}", target,
                                     static_cast<int>(operands), width, taps, rows));
            const std::int64_t in_word = operands == Operands::kFloat  ? 1
                                         : operands == Operands::kBF16 ? 2
                                                                       : 4;
            const std::vector<std::int64_t> a_taps = {0, kTapWords, 2 * kTapWords};
            std::vector<std::uint32_t> a(static_cast<std::size_t>(rows * kStride)),
                b(static_cast<std::size_t>(taps * (kDepth * width + 3)));
            // Values small enough that every sum is exact.
            std::uint32_t state = 7;
            const auto value = [&](std::size_t i) {
              state = state * 1664525 + 1013904223;
              return static_cast<float>(static_cast<int>(state >> 27) - (i % 2 ? 16 : 12));
            };
            const auto word = [&](std::size_t i, bool is_unsigned) {
              std::uint32_t w = 0;
              for (std::int64_t j = 0; j < in_word; ++j) {
                const float v = value(i);
                std::uint32_t bits = 0;
                std::memcpy(&bits, &v, sizeof(bits));
                if (operands == Operands::kFloat) w = bits;
                if (operands == Operands::kBF16) w |= bits >> 16 << (16 * j);
                if (operands == Operands::kInt8)
                  w |= (static_cast<std::uint32_t>(static_cast<int>(v) + (is_unsigned ? 128 : 0)) &
                        255u)
                       << (8 * j);
              }
              return w;
            };
            for (std::size_t i = 0; i < a.size(); ++i) a[i] = word(i, true);
            for (std::size_t i = 0; i < b.size(); ++i) b[i] = word(i, false);
            const auto number = [&](std::uint32_t w, std::int64_t j, bool is_unsigned) -> double {
              if (operands == Operands::kInt8) {
                const auto byte = static_cast<std::uint8_t>(w >> (8 * j));
                return is_unsigned ? byte : static_cast<std::int8_t>(byte);
              }
              const std::uint32_t bits = operands == Operands::kFloat ? w : w >> (16 * j) << 16;
              float v = 0;
              std::memcpy(&v, &bits, sizeof(v));
              return static_cast<double>(v);
            };
            std::vector<std::uint32_t> c(static_cast<std::size_t>(rows * (width + 1)));
            const kernels::PanelProduct product = {.operands = operands,
                                                   .a = a.data(),
                                                   .a_stride = kStride,
                                                   .rows = rows,
                                                   .panel = b.data(),
                                                   .depth = kDepth,
                                                   .width = width,
                                                   .c = c.data(),
                                                   .c_stride = width + 1,
                                                   .taps = taps,
                                                   .a_taps = a_taps.data(),
                                                   .panel_tap = kDepth * width + 3};
            kernels::multiply_panel(product, false);
            kernels::multiply_panel(product, true);  // and once more
            bool right = true;
            for (std::int64_t r = 0; r < rows; ++r)
              for (std::int64_t o = 0; o < width; ++o) {
                double sum = 0;
                for (std::int64_t t = 0; t < taps; ++t)
                  for (std::int64_t k = 0; k < kDepth; ++k)
                    for (std::int64_t j = 0; j < in_word; ++j)
                      sum +=
                          number(a[static_cast<std::size_t>(r * kStride + t * kTapWords + k)], j,
                                 true) *
                          number(b[static_cast<std::size_t>(t * product.panel_tap + k * width + o)],
                                 j, false);
                const std::uint32_t got = c[static_cast<std::size_t>(r * (width + 1) + o)];
                double found = static_cast<std::int32_t>(got);
                if (operands != Operands::kInt8) {
                  float v = 0;
                  std::memcpy(&v, &got, sizeof(v));
                  found = static_cast<double>(v);
                }
                right &= found == 2 * sum;
              }
            EXPECT_TRUE(right);
          }
  });
}

TEST(Interleave, PutsRowsIntoPanelsOnEveryInstructionSet) {
  test::for_each_target([](const std::string& target) {
    for (const std::int64_t width : {8, 16, 32})
      for (const std::int64_t taps : {1, 9})
        for (const std::int64_t channels : {1, 7, 16, 83})
          for (const std::int64_t rows : {std::int64_t{1}, std::int64_t{6}, width}) {
            SCOPED_TRACE(fmt::format("{}: {} rows of {} x {} in {} columns", target, rows, channels,
                                     taps, width));
            const std::int64_t n = channels * taps, stride = n + 3,
                               tap_stride = channels * width + 5;
            const Tensor x = test::random_tensor({rows, stride}, 1);
            std::vector<float> out(static_cast<std::size_t>(taps * tap_stride), 42.0f);
            kernels::interleave(x.data<float>(), stride,
                                {.rows = rows,
                                 .channels = channels,
                                 .taps = taps,
                                 .width = width,
                                 .tap_stride = tap_stride},
                                out.data());
            bool right = true;
            for (std::int64_t c = 0; c < channels; ++c)
              for (std::int64_t tap = 0; tap < taps; ++tap)
                for (std::int64_t o = 0; o < width; ++o) {
                  const float want =
                      o < rows ? x.data<float>()[o * stride + c * taps + tap] : 42.0f;
                  right &= out[static_cast<std::size_t>(tap * tap_stride + c * width + o)] == want;
                }
            EXPECT_TRUE(right);
          }
  });
}

}  // namespace
}  // namespace mezzo
