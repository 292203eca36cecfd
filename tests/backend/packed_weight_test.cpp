#include "backend/cpu/packed_weight.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "backend/cpu/isa.h"
#include "backend/cpu/kernels/words.h"
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
      for (const Precision p : {Precision::kF32, Precision::kAuto}) {
        const double rounded = cpu_multiplies_bf16() ? test::kProductBf16 : test::kProductInt16;
        const Tensor y = linear(*backend, x, weight, bias, p);
        EXPECT_LT(test::relative_error(y, expected), p == Precision::kF32 ? kSame : rounded);
        // What is expanded where it is used gives what is expanded before.
        if (p == Precision::kAuto && cpu_has_vnni()) {
          EXPECT_TRUE(test::same_bits(y, linear(*backend, x, cast(weight, DType::kF32), bias, p)));
        }
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
      for (const Precision p : {Precision::kF32, Precision::kAuto})
        EXPECT_TRUE(test::same_bits(linear(*one, tokens, matrix, bias, p),
                                    linear(*more, tokens, matrix, bias, p)));
    }
  }
}

using kernels::Operands;

// Words of small integers, so that every sum is exact.
class SmallWords {
 public:
  SmallWords(Operands operands, std::size_t count, bool is_unsigned)
      : operands_(operands), unsigned_(is_unsigned), words_(count) {
    std::uint32_t state = static_cast<std::uint32_t>(count);
    for (std::uint32_t& w : words_)
      for (int j = 0; j < in_word(); ++j) {
        state = state * 1664525 + 1013904223;
        w |= bits(static_cast<int>(state >> 27) - 14) << (32 / in_word() * j);
      }
  }
  int in_word() const {
    return operands_ == Operands::kFloat ? 1 : operands_ == Operands::kInt8 ? 4 : 2;
  }
  const std::uint32_t* data() const { return words_.data(); }
  /// Value j of a word.
  double at(std::int64_t word, int j) const {
    const std::uint32_t w = words_[static_cast<std::size_t>(word)];
    if (operands_ == Operands::kInt8) {
      const auto byte = static_cast<std::uint8_t>(w >> (8 * j));
      return unsigned_ ? byte : static_cast<std::int8_t>(byte);
    }
    if (operands_ == Operands::kInt16) return static_cast<std::int16_t>(w >> (16 * j));
    const std::uint32_t bits = operands_ == Operands::kFloat ? w : w >> (16 * j) << 16;
    return static_cast<double>(std::bit_cast<float>(bits));
  }

 private:
  std::uint32_t bits(int value) const {
    if (operands_ == Operands::kInt8)
      return static_cast<std::uint32_t>(value + (unsigned_ ? 128 : 0)) & 255u;
    if (operands_ == Operands::kInt16) return static_cast<std::uint16_t>(10 * value);
    const auto b = std::bit_cast<std::uint32_t>(static_cast<float>(value));
    return operands_ == Operands::kFloat ? b : b >> 16;
  }
  Operands operands_;
  bool unsigned_;
  std::vector<std::uint32_t> words_;
};

// Sums of a product by plain loops, in integers too as numbers.
std::vector<double> plain_sums(const kernels::PanelProduct& p, const SmallWords& a,
                               const SmallWords& b) {
  std::vector<double> sums;
  for (std::int64_t r = 0; r < p.rows; ++r)
    for (std::int64_t o = 0; o < p.width; ++o) {
      double sum = 0;
      for (std::int64_t t = 0; t < p.taps; ++t)
        for (std::int64_t k = 0; k < p.depth; ++k)
          for (int j = 0; j < a.in_word(); ++j)
            sum += a.at(r * p.a_stride + p.a_taps[t] + k, j) *
                   b.at(t * p.panel_tap + k * p.width + o, j);
      const kernels::Scales& s = p.scales;
      if (p.operands == Operands::kInt8) sum -= s.zero * s.sums[o];
      if (p.operands == Operands::kInt8 || p.operands == Operands::kInt16)
        sum *= static_cast<double>(s.row[r * s.row_step] * s.column[o]);
      sums.push_back(sum);
    }
  return sums;
}

// (before + sum) * gate + add.
double finished(const kernels::PanelProduct& p, double sum, std::int64_t r, std::int64_t o) {
  if (p.before) sum += static_cast<double>(p.before[r * p.before_stride + o]);
  if (p.gate) sum *= static_cast<double>(p.gate[o]);
  return p.add ? sum + static_cast<double>(p.add[r * p.c_stride + o]) : sum;
}

// Every kind of operand, both widths, every height of a strip, one tap and several, what happens to
// sums, on every instruction set, against plain loops.
TEST(MultiplyPanel, EqualsThePlainLoops) {
  constexpr std::int64_t kDepth = 7, kTapWords = 11, kStride = 40, kRows = 26, kWidth = 32;
  const std::vector<std::int64_t> a_taps = {0, kTapWords, 2 * kTapWords};
  // Small powers of two and multiples of them.
  std::vector<float> factors(kRows * (kWidth + 1)), others(kRows * (kWidth + 1));
  for (std::size_t i = 0; i < factors.size(); ++i) {
    factors[i] = i % 3 ? 0.5f : 2.0f;
    others[i] = static_cast<float>(i % 37) - 18;
  }
  std::vector<std::int32_t> sums(kWidth);
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = static_cast<std::int32_t>(i * 5) - 70;
  test::for_each_target([&](const std::string& target) {
    for (const Operands operands :
         {Operands::kFloat, Operands::kBF16, Operands::kInt8, Operands::kInt16})
      for (const std::int64_t width : {kernels::panel_width(), kernels::panel_width() / 2})
        for (const std::int64_t taps : {1, 3})
          for (std::int64_t rows = 1; rows <= kRows; ++rows) {
            SCOPED_TRACE(fmt::format("{}: operands {}, width {}, taps {}, rows {}", target,
                                     static_cast<int>(operands), width, taps, rows));
            const SmallWords a(operands, static_cast<std::size_t>(rows * kStride), true),
                b(operands, static_cast<std::size_t>(taps * (kDepth * width + 3)), false);
            std::vector<float> c(static_cast<std::size_t>(rows * (width + 1)), 42.0f);
            kernels::PanelProduct p = {
                .operands = operands,
                .a = a.data(),
                .a_stride = kStride,
                .rows = rows,
                .panel = b.data(),
                .depth = kDepth,
                .width = width,
                .taps = taps,
                .a_taps = a_taps.data(),
                .panel_tap = kDepth * width + 3,
                .scales = {.row = factors.data(),
                           .row_step = rows % 2,
                           .zero = 3,
                           .column = factors.data() + 1,
                           .sums = operands == Operands::kInt8 ? sums.data() : nullptr},
                .c = c.data(),
                .c_stride = width + 1};
            const std::vector<double> plain = plain_sums(p, a, b);
            for (const int form : {0, 1, 2, 3, 4}) {
              if (form >= 1) p.before = others.data();
              if (form >= 2) p.before_stride = width;
              p.gate = form == 3 ? factors.data() : nullptr;
              p.add = form >= 3 ? others.data() + 1 : nullptr;
              kernels::multiply_panel(p);
              bool right = true;
              for (std::int64_t r = 0; r < rows; ++r) {
                const float* row = c.data() + r * (width + 1);
                for (std::int64_t o = 0; o < width; ++o)
                  right &= static_cast<double>(row[o]) ==
                           finished(p, plain[static_cast<std::size_t>(r * width + o)], r, o);
                right &= row[width] == 42.0f;
              }
              EXPECT_TRUE(right) << "form " << form;
            }
          }
  });
}

// What keeps sums within 32 bits, and how far a value is from its integer.
TEST(Words, IntegersOf16BitsHaveABoundedNorm) {
  constexpr double kNorm = 46300 + 8;  // and what rounding adds to 256 of them
  const auto check = [&](const std::vector<float>& x, const std::int16_t* q, double scale) {
    double squares = 0, most = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double integer = q[i];
      squares += integer * integer;
      most = std::max(most, std::abs(static_cast<double>(x[i]) - scale * integer));
    }
    EXPECT_LE(std::sqrt(squares), kNorm);
    EXPECT_LE(most, scale * 0.501);
  };
  test::for_each_target([&](const std::string& target) {
    const std::int64_t width = kernels::panel_width();
    for (const std::int64_t n : {1, 2, 15, 40, 77, 256})
      for (const float size : {1.0f, 1e-25f, 1e25f})
        for (const float outlier : {1.0f, 50.0f, 1e6f}) {
          SCOPED_TRACE(fmt::format("{}: {} values of {}, one of {}", target, n, size, outlier));
          const Tensor random = test::random_tensor({n}, 5);
          std::vector<float> x(random.data<float>(), random.data<float>() + n);
          for (float& v : x) v *= size;
          x[static_cast<std::size_t>(n / 2)] *= outlier;
          std::vector<std::uint32_t> words(static_cast<std::size_t>(n + 1) / 2 + 1, 42);
          const auto* row = reinterpret_cast<const std::int16_t*>(words.data());
          check(x, row, static_cast<double>(kernels::row_to_int16(x.data(), n, words.data())));
          EXPECT_EQ(words.back(), 42u);
          EXPECT_EQ(n % 2 ? row[n] : 0, 0);

          std::vector<float> panel(static_cast<std::size_t>(n * width)),
              scales(static_cast<std::size_t>(width));
          for (std::size_t i = 0; i < panel.size(); ++i)
            panel[i] = x[i / static_cast<std::size_t>(width)];
          std::vector<std::uint32_t> columns(static_cast<std::size_t>((n + 1) / 2 * width));
          kernels::panel_to_int16(panel.data(), n, width, scales.data(), columns.data());
          std::vector<std::int16_t> last;  // of the panel's columns
          for (std::int64_t i = 0; i < n; ++i)
            last.push_back(static_cast<std::int16_t>(
                columns[static_cast<std::size_t>(i / 2 * width + width - 1)] >> (16 * (i % 2))));
          check(x, last.data(), static_cast<double>(scales.back()));
        }
    std::vector<float> x(40, 1.0f);
    x[33] = NAN;
    std::vector<std::uint32_t> words(20);
    EXPECT_TRUE(std::isnan(kernels::row_to_int16(x.data(), 40, words.data())));
  });
}

TEST(MultiplyPanel, AddsToItsOwnMemory) {
  const std::int64_t width = kernels::panel_width();
  const std::size_t n = static_cast<std::size_t>(3 * width);
  const std::vector<float> a(3, 2.0f), panel(n, 1.5f);
  std::vector<float> c(n, 10.0f);
  kernels::PanelProduct p = {.a = a.data(),
                             .a_stride = 1,
                             .rows = 3,
                             .panel = panel.data(),
                             .depth = 1,
                             .width = width,
                             .before = c.data(),
                             .before_stride = width,
                             .c = c.data(),
                             .c_stride = width};
  kernels::multiply_panel(p);
  EXPECT_EQ(c, std::vector<float>(n, 13.0f));
  p.before = nullptr, p.add = c.data();
  kernels::multiply_panel(p);
  EXPECT_EQ(c, std::vector<float>(n, 16.0f));
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
