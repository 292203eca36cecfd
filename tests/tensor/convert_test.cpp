// Conversions against definitions written out here: powers of two and rounding to nearest even by
// arithmetic.
#include "tensor/convert.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tensor/half.h"

namespace mezzo {
namespace {

// Value of a float16 code, from the definition of IEEE 754.
double f16_value(int code) {
  const int exponent = (code >> 10) & 31, mantissa = code & 1023;
  const double m =
      exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return code & 0x8000 ? -m : m;
}

TEST(Convert, EveryHalfIsExact) {
  std::vector<std::uint16_t> codes;
  for (int c = 0; c < 0x10000; ++c) codes.push_back(static_cast<std::uint16_t>(c));
  std::vector<float> out(codes.size());
  to_float(DType::kF16, reinterpret_cast<const std::byte*>(codes.data()), 0x10000, out.data());
  for (int c = 0; c < 0x10000; ++c) {
    const auto i = static_cast<std::size_t>(c);
    if (((c >> 10) & 31) != 31) {
      ASSERT_EQ(static_cast<double>(out[i]), f16_value(c)) << c;
    } else {
      ASSERT_EQ(std::isnan(out[i]), (c & 1023) != 0) << c;
    }
    ASSERT_EQ(std::bit_cast<std::uint32_t>(out[i]),
              std::bit_cast<std::uint32_t>(float_from_f16(codes[i])))
        << c;
  }
  std::vector<std::uint16_t> back(codes.size());
  from_float(DType::kF16, out.data(), 0x10000, reinterpret_cast<std::byte*>(back.data()));
  for (int c = 0; c < 0x10000; ++c) {
    const auto i = static_cast<std::size_t>(c);
    if (!std::isnan(out[i])) {
      ASSERT_EQ(back[i], codes[i]);
    }
  }
}

TEST(Convert, HalfRoundsToNearestEven) {
  for (int c = 0; c < 0x7bff; c += 7) {  // between two neighbours: below, at and above the middle
    const double low = f16_value(c), high = f16_value(c + 1), middle = (low + high) / 2;
    const auto code = [](double v) { return f16_from_float(static_cast<float>(v)); };
    EXPECT_EQ(code(middle), c % 2 ? c + 1 : c) << c;
    EXPECT_EQ(code(std::nextafter(static_cast<float>(middle), 1e9f)), c + 1) << c;
    EXPECT_EQ(code(std::nextafter(static_cast<float>(middle), -1e9f)), c) << c;
  }
  EXPECT_EQ(f16_from_float(65519.0f), 0x7bff);
  EXPECT_EQ(f16_from_float(65520.0f), 0x7c00);  // infinity
  EXPECT_EQ(f16_from_float(-1e30f), 0xfc00);
}

// Vectors and single values agree, for lengths that leave every rest.
TEST(Convert, VectorsEqualSingleValues) {
  std::mt19937 random(1);
  for (const DType t : {DType::kF16, DType::kBF16, DType::kF8E4M3, DType::kF8E5M2}) {
    for (std::int64_t n = 0; n < 70; ++n) {
      std::vector<float> in(static_cast<std::size_t>(n));
      for (auto& v : in) v = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
      const auto size = static_cast<std::size_t>(info(t).bytes);
      std::vector<std::byte> all(in.size() * size), one(size);
      from_float(t, in.data(), n, all.data());
      std::vector<float> back(in.size());
      to_float(t, all.data(), n, back.data());
      for (std::size_t i = 0; i < in.size(); ++i) {
        from_float(t, &in[i], 1, one.data());
        ASSERT_EQ(std::memcmp(one.data(), all.data() + i * size, size), 0)
            << name(t) << " " << in[i];
        float single;
        to_float(t, one.data(), 1, &single);
        ASSERT_EQ(std::bit_cast<std::uint32_t>(single), std::bit_cast<std::uint32_t>(back[i]))
            << name(t) << " " << in[i];
      }
    }
  }
}

template <class T>
T one_as(DType t, float x) {
  T v{};
  from_float(t, &x, 1, reinterpret_cast<std::byte*>(&v));
  return v;
}

TEST(Convert, IntegersRoundAndSaturate) {
  EXPECT_EQ(one_as<std::int8_t>(DType::kI8, 2.5f), 2);
  EXPECT_EQ(one_as<std::int8_t>(DType::kI8, 3.5f), 4);
  EXPECT_EQ(one_as<std::int8_t>(DType::kI8, 1000), 127);
  EXPECT_EQ(one_as<std::uint8_t>(DType::kU8, -1), 0);
  EXPECT_EQ(one_as<std::int32_t>(DType::kI32, 3e9f), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(one_as<std::int64_t>(DType::kI64, 1e30f), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(one_as<std::int64_t>(DType::kI64, -1e30f), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(one_as<std::uint64_t>(DType::kU64, 1e30f), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(one_as<std::int32_t>(DType::kI32, std::nanf("")), 0);
  EXPECT_EQ(one_as<std::uint8_t>(DType::kBool, -0.5f), 1);
}

TEST(Convert, BlocksComeBackWithinHalfAStep) {
  struct Case {
    DType type;
    float steps;  // in the range of the block
  };
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (const auto& [type, steps] :
       {Case{DType::kQ8_0, 254}, Case{DType::kQ5_1, 31}, Case{DType::kQ5_0, 31},
        Case{DType::kQ4_1, 15}, Case{DType::kQ4_0, 15}}) {
    std::vector<float> in(32 * 40), out(in.size());
    for (auto& v : in) v = normal(random);
    std::vector<std::byte> blocks(static_cast<std::size_t>(*byte_size(type, 32 * 40)));
    from_float(type, in.data(), 32 * 40, blocks.data());
    to_float(type, blocks.data(), 32 * 40, out.data());
    for (std::size_t i = 0; i < in.size(); ++i) {
      float largest = 0;
      for (std::size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j)
        largest = std::max(largest, std::fabs(in[j]));
      // The symmetric types waste one code at one end: there the error is a whole step.
      ASSERT_NEAR(in[i], out[i], 2 * largest / steps * 1.05f) << name(type);
    }
  }
}

TEST(Convert, BlocksSurviveStrangeValues) {
  for (const DType t : {DType::kQ8_0, DType::kQ5_1, DType::kQ5_0, DType::kQ4_1, DType::kQ4_0}) {
    std::vector<float> in(32, 0.0f);
    std::vector<std::byte> block(64);
    from_float(t, in.data(), 32, block.data());
    std::vector<float> out(32, 1.0f);
    to_float(t, block.data(), 32, out.data());
    EXPECT_EQ(out, in) << name(t);
    in[3] = std::numeric_limits<float>::infinity();
    in[4] = std::nanf("");
    from_float(t, in.data(), 32, block.data());  // no trap, no undefined conversion
  }
}

TEST(Convert, MostKTypesAreReadOnly) {
  std::vector<float> in(256);
  std::vector<std::byte> block(512);
  EXPECT_THROW(from_float(DType::kQ5_K, in.data(), 256, block.data()), UsageError);
}

TEST(Cast, KeepsShapeAndSharesWhatHasTheType) {
  Tensor x(host(), DType::kF32, {2, 3});
  for (int i = 0; i < 6; ++i) x.data<float>()[i] = static_cast<float>(i) / 2;
  EXPECT_EQ(cast(x, DType::kF32).raw(), x.raw());
  const Tensor half = cast(x, DType::kF16), brain = cast(half, DType::kBF16),
               back = cast(brain, DType::kF32);
  EXPECT_EQ(half.shape(), x.shape());
  EXPECT_EQ(std::memcmp(back.raw(), x.raw(), x.bytes()), 0);
}

}  // namespace
}  // namespace mezzo
