#include <array>

#include <gtest/gtest.h>

#include "reference.h"
#include "tensor/convert.h"

namespace mezzo {
namespace {

// A little of everything, with results that come and go as in a network.
void run_network(Backend& backend, Precision precision) {
  const auto weight = [&](const Shape& s) { return cast(test::random_tensor(s, 1), DType::kF16); };
  const Conv2dConfig wide = {.in = 320, .out = 328};
  const PackedPtr conv =
      backend.pack_conv2d(weight({328, 320, 3, 3}), weight({328}), wide, precision);
  const PackedPtr big = backend.pack_linear(weight({3000, 1024}), {}, precision);
  const PackedPtr small = backend.pack_linear(weight({328, 328}), weight({328}), precision);
  const Tensor gain = backend.upload(weight({328})),
               x = backend.upload(test::random_tensor({2, 9, 10, 320}, 2));
  const Tensor each = backend.upload(test::random_tensor({2, 328}, 3));
  Tensor y(backend, DType::kF32, {2, 9, 10, 328});
  backend.conv2d(x, *conv, {each, {}, Activation::kSilu}, y);
  Tensor z(backend, DType::kF32, y.shape());
  backend.group_norm(y, gain, gain, {8, 1e-5f, Activation::kSilu}, z);
  backend.layer_norm(z, gain, gain, 1e-5f, z);
  backend.rms_norm(z, gain, 1e-5f, z);
  const Tensor tokens = z.view({2, 90, 328});
  Tensor mixed(backend, DType::kF32, tokens.shape());
  backend.attention(
      tokens, tokens, tokens,
      {.heads = 8, .scale = 0.1f, .causal = false, .bias = {}, .precision = precision}, mixed);
  Epilogue residual;
  residual.add = tokens;
  Tensor sum(backend, DType::kF32, tokens.shape());
  backend.linear(mixed, *small, residual, sum);
  {
    const Tensor flat = backend.upload(test::random_tensor({1, 50, 1024}, 4));
    Tensor gated(backend, DType::kF32, {1, 50, 3000}), half(backend, DType::kF32, {1, 50, 1500});
    backend.linear(flat, *big, {}, gated);
    backend.geglu(gated, half);
    backend.scale(half, 2, 1, half);
    backend.activate(half, Activation::kGelu, half);
  }
  {
    const Tensor both = each.view({1, 656});
    const Tensor one_image = sum.slice(0, 0, 1);
    Tensor modulated(backend, DType::kF32, one_image.shape());
    backend.modulated_layer_norm(one_image, both.slice(1, 0, 328), both.slice(1, 328, 656), 1e-6f,
                                 modulated);
    Epilogue gated;
    gated.gate = both.slice(1, 0, 328);
    gated.add = one_image;
    Tensor next(backend, DType::kF32, one_image.shape());
    backend.linear(modulated, *small, gated, next);
    const std::array parts = {AttentionPart{next, next, next}, AttentionPart{{}, next, next}};
    std::array outs = {Tensor(backend, DType::kF32, next.shape()), Tensor()};
    backend.joint_attention(
        parts, {.heads = 8, .scale = 0.1f, .causal = false, .bias = {}, .precision = precision},
        outs);
  }
  backend.add(sum, mixed, sum);
  backend.multiply(sum, gain, sum);
  Tensor larger(backend, DType::kF32, {2, 18, 20, 328});
  backend.upsample_nearest(y, larger);
  EXPECT_EQ(backend.download(larger).numel(), larger.numel());
}

struct Total {
  std::size_t peak, weights;
  OpLog log;
};

Total measure(std::unique_ptr<Backend> backend, Precision precision) {
  Total t;
  backend->set_log(&t.log);
  const PackedPtr kept = backend->pack_linear(test::random_tensor({40, 30}, 1), {}, precision);
  run_network(*backend, precision);
  t.peak = backend->activation_peak();
  t.weights = backend->weight_bytes();
  return t;
}

TEST(Meta, CountsExactlyWhatTheCpuTakes) {
  for (const Precision precision :
       {Precision::kF32, Precision::kAuto, Precision::kBF16, Precision::kInt8})
    for (const int threads : {1, 3}) {
      const Total cpu = measure(make_cpu_backend({.threads = threads}), precision);
      const Total meta = measure(make_meta_backend({.threads = threads}), precision);
      EXPECT_GT(cpu.peak, 0u);
      EXPECT_EQ(cpu.peak, meta.peak);
      EXPECT_EQ(cpu.weights, meta.weights);
      ASSERT_EQ(cpu.log.records.size(), meta.log.records.size());
      for (std::size_t i = 0; i < cpu.log.records.size(); ++i) {
        EXPECT_EQ(cpu.log.records[i].name, meta.log.records[i].name);
        EXPECT_EQ(cpu.log.records[i].flops, meta.log.records[i].flops);
        EXPECT_GT(meta.log.records[i].seconds, 0);
      }
    }
}

TEST(Meta, KnowsTheLimit) {
  const auto backend = make_meta_backend({.threads = 1, .max_bytes = 1 << 20});
  EXPECT_FALSE(backend->has_data());
  EXPECT_NO_THROW(Tensor(*backend, DType::kF32, {1000}));
  EXPECT_THROW(Tensor(*backend, DType::kF32, {1 << 20}), OutOfMemory);
}

}  // namespace
}  // namespace mezzo
