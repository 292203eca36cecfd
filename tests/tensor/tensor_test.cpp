#include "tensor/tensor.h"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace mezzo {
namespace {

Tensor counting(const Shape& shape) {
  Tensor t(host(), DType::kF32, shape);
  std::iota(t.data<float>(), t.data<float>() + t.numel(), 0.0f);
  return t;
}

TEST(Tensor, SliceIsAView) {
  const Tensor t = counting({2, 3, 4});
  const Tensor s = t.slice(1, 1, 2);
  EXPECT_EQ(s.shape(), (Shape{2, 1, 4}));
  EXPECT_FALSE(s.contiguous());
  EXPECT_EQ(s.data<float>()[0], 4);
  EXPECT_EQ(s.data<float>()[s.stride(0)], 16);
  EXPECT_TRUE(t.slice(0, 1, 2).contiguous());
  EXPECT_EQ(t.slice(-1, 2, 4).data<float>()[0], 2);
}

TEST(Tensor, PermuteAndView) {
  const Tensor t = counting({2, 3, 4}).permute({2, 0, 1});
  EXPECT_EQ(t.shape(), (Shape{4, 2, 3}));
  EXPECT_EQ(t.data<float>()[t.stride(0)], 1);
  EXPECT_THROW(t.view({24}), InternalError);
  EXPECT_EQ(counting({2, 3, 4}).view({6, 4}).dim(0), 6);
  EXPECT_THROW(counting({2, 3}).view({7}), InternalError);
}

TEST(Tensor, ViewsKeepTheStorageAlive) {
  Tensor s;
  {
    const Tensor t = counting({10});
    s = t.slice(0, 5, 10);
  }
  EXPECT_EQ(s.data<float>()[4], 9);
}

TEST(Tensor, SizesOfBlocks) {
  EXPECT_EQ(Tensor(host(), DType::kQ8_0, {2, 64}).bytes(), 4u * 34);
  EXPECT_THROW(Tensor(host(), DType::kQ8_0, {3}), InternalError);
  EXPECT_FALSE(Tensor().defined());
}

TEST(Shape, RefusesWhatCannotBeASize) {
  EXPECT_THROW((Shape{-1}), InternalError);
  EXPECT_THROW((Shape{std::int64_t{1} << 40, std::int64_t{1} << 40}), InternalError);
  EXPECT_EQ((Shape{2, 3}).numel(), 6);
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_EQ(to_string(Shape{2, 77}), "[2,77]");
}

TEST(DType, NamesAndSizes) {
  EXPECT_EQ(dtype_named("Q8_0"), DType::kQ8_0);
  EXPECT_EQ(dtype_named("bf16"), DType::kBF16);
  EXPECT_FALSE(dtype_named("f12"));
  EXPECT_FALSE(byte_size(DType::kQ4_K, 100));
  EXPECT_FALSE(byte_size(DType::kF64, INT64_MAX));
  EXPECT_EQ(byte_size(DType::kQ4_K, 512), 288);
}

TEST(Shape, ContiguityIsAQuestionOfStrides) {
  const auto ask = [](const Shape& s, std::vector<std::int64_t> strides) {
    return is_contiguous(s, strides);
  };
  EXPECT_TRUE(ask({}, {}));
  EXPECT_TRUE(ask({2, 3}, {3, 1}));
  EXPECT_TRUE(ask({2, 1, 3}, {3, 77, 1}));  // the stride of one element does not matter
  EXPECT_FALSE(ask({2, 3}, {1, 2}));
  EXPECT_FALSE(ask({2, 3}, {4, 1}));
}

}  // namespace
}  // namespace mezzo
