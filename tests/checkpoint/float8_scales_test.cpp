#include "checkpoint/float8_scales.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/make_files.h"
#include "tensor/convert.h"
#include "tensor/half.h"

namespace mezzo {
namespace {

using test::ByteSource;
using ::testing::HasSubstr;

/// A weight [2, columns] of codes 0, 1, 2 ... (without NaN).
std::shared_ptr<ByteSource> source(DType dtype, std::int64_t columns) {
  auto s = std::make_shared<ByteSource>();
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(2 * columns));
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(i % 120);
  s->put("l.weight", dtype, {2, columns}, codes);
  s->put("l.bias", DType::kF32, {2}, std::vector<float>{1, 2});
  return s;
}

void expect_scaled(const TensorSource& s, DType dtype, std::int64_t columns, float first,
                   float second) {
  const Tensor t = cast(s.load("l.weight"), DType::kF32);
  for (std::int64_t i = 0; i < 2 * columns; ++i) {
    const auto code = static_cast<std::uint8_t>(i % 120);
    const float v = dtype == DType::kF8E4M3 ? float_from_f8_e4m3(code) : float_from_f8_e5m2(code);
    ASSERT_EQ(t.data<float>()[i], v * (i < columns ? first : second)) << i;
  }
}

TEST(Float8Scales, AreApplied) {
  for (const DType dtype : {DType::kF8E4M3, DType::kF8E5M2})
    for (const char* scale : {"l.scale_weight", "l.weight_scale"}) {
      const auto s = source(dtype, 128);
      s->put(scale, DType::kF32, {}, std::vector<float>{0.3f});
      s->put("l.scale_input", DType::kF32, {}, std::vector<float>{7});
      s->put("scaled_fp8", dtype, {2}, std::vector<std::uint8_t>{0, 0});
      const auto made = with_float8_scales(s);
      ASSERT_EQ(made->tensors().size(), 2u);
      EXPECT_EQ(info(made->tensors()[1].dtype).block, 64);
      expect_scaled(*made, dtype, 128, 0.3f, 0.3f);
    }
}

TEST(Float8Scales, MayBeOfRows) {
  for (const std::int64_t columns : {64, 100}) {
    const auto s = source(DType::kF8E4M3, columns);
    s->put("l.weight_scale", DType::kF32, {2, 1}, std::vector<float>{0.5f, 3});
    const auto made = with_float8_scales(s);
    EXPECT_EQ(made->tensors()[1].dtype, columns == 64 ? DType::kF8E4M3Scaled : DType::kF32);
    expect_scaled(*made, DType::kF8E4M3, columns, 0.5f, 3);
  }
}

TEST(Float8Scales, AreNotNeeded) {
  const auto s = source(DType::kF8E4M3, 64);
  EXPECT_EQ(with_float8_scales(s), s);
}

TEST(Float8Scales, RefuseOtherShapes) {
  const auto s = source(DType::kF8E4M3, 64);
  s->put("l.scale_weight", DType::kF32, {3}, std::vector<float>{1, 2, 3});
  EXPECT_THAT(test::message_of([&] { with_float8_scales(s); }), HasSubstr("no scale for l.weight"));
  s->put("l.scale_weight", DType::kI32, {1}, std::vector<std::int32_t>{1});
  EXPECT_THAT(test::message_of([&] { with_float8_scales(s); }), HasSubstr("no scale for l.weight"));
}

}  // namespace
}  // namespace mezzo
