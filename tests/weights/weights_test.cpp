#include "weights/weights.h"

#include <cstring>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mezzo {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

/// Tensors of ones in memory.
class Ones final : public TensorSource {
 public:
  explicit Ones(const std::map<std::string, Shape>& shapes) {
    for (const auto& [name, shape] : shapes) tensors_.push_back({name, DType::kF32, shape});
  }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void read(std::size_t, std::span<std::byte> out) const override {
    const float one = 1;
    for (std::size_t i = 0; i < out.size(); i += 4) std::memcpy(out.data() + i, &one, 4);
  }
  std::string origin() const override { return "model.safetensors"; }

 private:
  std::vector<TensorInfo> tensors_;
};

std::shared_ptr<const TensorSource> ones(std::map<std::string, Shape> shapes) {
  return std::make_shared<Ones>(shapes);
}

TEST(Weights, ScopesAreTheNamesOfTheFile) {
  const auto backend = make_cpu_backend();
  const Weights w(ones({{"block.0.conv.weight", {2, 3}}, {"other", {1}}}), *backend,
                  Precision::kF32, "unet");
  const Weights conv = w / "block" / 0 / "conv";
  EXPECT_TRUE(conv.has("weight"));
  EXPECT_FALSE(conv.has("bias"));
  EXPECT_EQ(conv.get("weight", {2, 3}).data<float>()[5], 1);
  EXPECT_EQ(conv.path("weight"), "unet.block.0.conv.weight");
  EXPECT_THAT(w.finish(), ElementsAre("other"));
}

TEST(Weights, WhatIsPassedOverIsNotUnused) {
  const auto backend = make_cpu_backend();
  const Weights w(ones({{"a.copy", {2}}, {"b", {1}}}), *backend, Precision::kF32, "t5");
  (w / "a").pass_over("copy");
  w.pass_over("absent");
  EXPECT_THAT(w.finish(), ElementsAre("b"));
}

TEST(Weights, OneByOneConvolutionsAreMatrices) {
  const auto backend = make_cpu_backend();
  const Weights w(ones({{"weight", {4, 3, 1, 1}}}), *backend, Precision::kF32, "vae");
  EXPECT_EQ(w.get("weight", {4, 3}).shape(), (Shape{4, 3}));
  EXPECT_TRUE(w.finish().empty());
}

TEST(Weights, ALeadingOneMayBeMissing) {
  const auto backend = make_cpu_backend();
  const Weights w(ones({{"table", {4, 3}}}), *backend, Precision::kF32, "transformer");
  EXPECT_EQ(w.get("table", {1, 4, 3}).shape(), (Shape{1, 4, 3}));
}

TEST(Weights, EveryProblemIsListedTogether) {
  const auto meta = make_meta_backend();
  const Weights w(ones({{"a", {2, 9}}}), *meta, Precision::kF32, "unet");
  EXPECT_EQ(w.get("a", {2, 4}).numel(), 8) << "building goes on with the right shape";
  w.get("b", {3});
  EXPECT_THAT([&] { w.finish(); }, ThrowsMessage<LoadError>(testing::AllOf(
                                       HasSubstr("unet.a: expected [2,4], found [2,9]"),
                                       HasSubstr("unet.b [3] is missing"))));
}

TEST(Weights, WithDataTheFirstProblemEndsIt) {
  const auto backend = make_cpu_backend();
  const Weights w(ones({{"a", {2, 9}}}), *backend, Precision::kF32, "unet");
  EXPECT_THROW(w.get("b", {1 << 20, 1 << 20}), LoadError);
}

TEST(Weights, WithoutDataNothingIsRead) {
  const auto meta = make_meta_backend();
  const Weights w(ones({{"a", {1 << 20, 1 << 10}}}), *meta, Precision::kF32, "unet");
  EXPECT_EQ(w.get("a", {1 << 20, 1 << 10}).raw(), nullptr);
}

/// Tensors whose values are their positions.
class Counting final : public TensorSource {
 public:
  explicit Counting(TensorInfo tensor) : tensors_{std::move(tensor)} {}
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void read(std::size_t, std::span<std::byte> out) const override {
    for (std::size_t i = 0; i < out.size() / 4; ++i) {
      const auto v = static_cast<float>(i);
      std::memcpy(out.data() + 4 * i, &v, 4);
    }
  }
  std::string origin() const override { return "model.safetensors"; }

 private:
  std::vector<TensorInfo> tensors_;
};

TEST(Weights, PartsOfALazyTensorAreRead) {
  const auto backend = make_cpu_backend();
  const Weights w(std::make_shared<Counting>(TensorInfo{"table", DType::kF32, {1, 4, 3}}), *backend,
                  Precision::kF32, "transformer");
  const LazyTensor table = w.lazy("table", {1, 4, 3});
  EXPECT_TRUE(w.finish().empty()) << "it is used";
  std::vector<float> row(3);
  table.read(6, 3, row.data());
  EXPECT_THAT(row, ElementsAre(6, 7, 8));
  EXPECT_THROW(w.lazy("table", {1, 4, 4}), LoadError);
  EXPECT_THROW(w.lazy("nothing", {1}), LoadError);
}

TEST(Weights, AStreamedNetworkHoldsItsFirstLayersOnly) {
  const auto backend = make_cpu_backend();
  Weights w(ones({{"a", {2}}}), *backend, Precision::kF32, "unet");
  EXPECT_TRUE(w.holds("a", {1 << 30})) << "everything is held";
  EXPECT_FALSE(w.streamed());
  w.stream(100);
  EXPECT_TRUE(w.streamed());
  EXPECT_TRUE(w.holds("a", {4, 5}));
  EXPECT_FALSE((w / "block").holds("b", {6})) << "20 bytes are left";
  EXPECT_TRUE(w.holds("a", {5}));
  EXPECT_FALSE(w.holds("a", {1}));
}

TEST(Weights, QuantisedRowsThatAreNoWholeBlocksAreRefused) {
  const auto backend = make_cpu_backend();
  const Weights w(std::make_shared<Counting>(TensorInfo{"table", DType::kQ8_0, {2, 48}}), *backend,
                  Precision::kF32, "transformer");
  std::vector<float> row(48);
  EXPECT_THAT(
      [&] {
        w.lazy("table", {2, 48}).read(0, 48, row.data());
      },
      ThrowsMessage<LoadError>(HasSubstr("rows of 48 numbers")));
}

TEST(Source, PrefixesAreRemoved) {
  const auto source =
      with_prefix_removed(ones({{"unet.a", {1}}, {"unet.b", {2}}, {"vae.c", {3}}}), "unet.");
  EXPECT_TRUE(source->has("a"));
  EXPECT_FALSE(source->has("c"));
  EXPECT_EQ(source->load("b").numel(), 2);
  EXPECT_THROW(source->load("c"), LoadError);
}

}  // namespace
}  // namespace mezzo
