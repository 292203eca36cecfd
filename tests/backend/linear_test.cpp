#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "backend/cpu/isa.h"
#include "reference.h"
#include "tensor/convert.h"
#include "tolerances.h"

namespace mezzo {
namespace {

struct Layer {
  Tensor x, weight, bias;
};

Layer layer(const Shape& x, std::int64_t out) {
  return {test::random_tensor(x, 1), test::random_tensor({out, x[-1]}, 2),
          test::random_tensor({out}, 3)};
}

Shape out_shape(const Layer& l) {
  Shape s = l.x.shape();
  s.set(-1, l.weight.dim(0));
  return s;
}

Tensor run(Backend& backend, const Layer& l, Precision precision, const Epilogue& epilogue = {}) {
  Epilogue e = epilogue;
  if (e.channel_add.defined()) e.channel_add = backend.upload(e.channel_add);
  if (e.add.defined()) e.add = backend.upload(e.add);
  const PackedPtr packed = backend.pack_linear(l.weight, l.bias, precision);
  Tensor out(backend, DType::kF32, out_shape(l));
  backend.linear(backend.upload(l.x), *packed, e, out);
  return backend.download(out);
}

test::Values expected(const Layer& l, const Epilogue& e = {}) {
  test::Values y = test::linear(l.x, cast(l.weight, DType::kF32), l.bias);
  const std::int64_t out = l.weight.dim(0), images = l.x.dim(0);
  test::finish(y, e, static_cast<std::int64_t>(y.size()) / images, out);
  return y;
}

const std::vector<std::pair<Shape, std::int64_t>>& shapes() {
  static const std::vector<std::pair<Shape, std::int64_t>> all = {
      {{1, 320}, 1280}, {{2, 77, 96}, 40},   {{3, 7}, 5},        {{2, 4, 6, 24}, 24},
      {{1, 1}, 1},      {{1, 100, 200}, 17}, {{1, 2, 2048}, 203}};  // packed in several pieces
  return all;
}

TEST(Linear, EqualsThePlainLoops) {
  const auto backend = make_cpu_backend();
  for (const auto& [x, out] : shapes()) {
    SCOPED_TRACE(to_string(x));
    const Layer l = layer(x, out);
    const Tensor add = test::random_tensor(out_shape(l), 6);
    const Tensor channel_add = test::random_tensor({x[0], out}, 7);
    for (const Epilogue& e :
         {Epilogue{}, Epilogue{{}, add}, Epilogue{channel_add, {}},
          Epilogue{{}, {}, Activation::kQuickGelu}, Epilogue{{}, add, Activation::kGeluTanh}})
      EXPECT_LT(test::relative_error(run(*backend, l, Precision::kF32, e), expected(l, e)),
                test::kProduct);
  }
}

TEST(Linear, TakesAGateForEachImage) {
  const auto backend = make_cpu_backend();
  for (const auto& [x, out] : shapes()) {
    SCOPED_TRACE(to_string(x));
    const Layer l = layer(x, out);
    const Tensor all = backend->upload(test::random_tensor({x[0], 3 * out}, 8));
    const Tensor add = test::random_tensor(out_shape(l), 6);
    Epilogue e;
    e.gate = all.slice(1, out, 2 * out);
    for (const Activation a : {Activation::kNone, Activation::kGeluTanh})
      for (const Tensor& residual : {Tensor(), add}) {
        e.activation = a;
        e.add = residual;
        test::Values y = test::linear(l.x, l.weight, l.bias);
        test::finish(y, e, static_cast<std::int64_t>(y.size()) / x[0], out);
        for (const Precision p : {Precision::kF32, Precision::kBF16})
          EXPECT_LT(test::relative_error(run(*backend, l, p, e), y),
                    p == Precision::kF32 ? test::kProduct : test::kProductBf16);
      }
  }
}

// Halves of whole panels, which are joined while they are in the cache, and others.
TEST(Linear, JoinsValuesWithTheirGates) {
  for (const std::int64_t out : {128, 2 * 36, 2 * 320}) {
    const Layer l = layer({2, 50, 48}, out);
    const test::Values both = test::linear(l.x, l.weight, l.bias);
    test::Values y;
    for (std::size_t row = 0; row < 100; ++row)
      for (std::int64_t i = 0; i < out / 2; ++i) {
        const double* at = both.data() + row * static_cast<std::size_t>(out) + i;
        y.push_back(at[0] * test::activation(at[out / 2], Activation::kGelu));
      }
    for (const Precision p : {Precision::kF32, Precision::kBF16, Precision::kInt8}) {
      const auto backend = make_cpu_backend();
      const PackedPtr packed = backend->pack_linear(l.weight, l.bias, p);
      Tensor result(*backend, DType::kF32, {2, 50, out / 2});
      backend->linear(backend->upload(l.x), *packed, {.geglu = true}, result);
      EXPECT_LT(test::relative_error(backend->download(result), y),
                p == Precision::kF32 ? test::kProduct : test::kProductInt8)
          << out;
    }
  }
}

TEST(Linear, AddsToEachRowOfABatchWithoutTokens) {
  const auto backend = make_cpu_backend();
  const Layer l = layer({3, 24}, 16);
  Epilogue e;
  e.channel_add = test::random_tensor({3, 16}, 8);
  test::Values y = test::linear(l.x, l.weight, l.bias);
  test::finish(y, e, 16, 16);
  EXPECT_LT(test::relative_error(run(*backend, l, Precision::kF32, e), y), test::kProduct);
}

TEST(Linear, TakesWeightsOfAnyType) {
  const auto backend = make_cpu_backend();
  for (const DType type : {DType::kF16, DType::kBF16, DType::kF8E4M3, DType::kQ8_0, DType::kQ4_0}) {
    SCOPED_TRACE(name(type));
    for (Layer l : {layer({1, 9, 64}, 48), layer({1, 2, 2048}, 203)}) {
      l.weight = cast(l.weight, type);
      EXPECT_LT(test::relative_error(run(*backend, l, Precision::kF32), expected(l)),
                test::kProduct);
      EXPECT_LT(test::relative_error(run(*backend, l, Precision::kBF16), expected(l)),
                test::kProductBf16);
    }
  }
}

// Integers of 8 bits with a scale for each row and each output, and nothing else that is rounded.
test::Values quantised(const Layer& l) {
  const std::int64_t in = l.x.dim(-1), rows = l.x.numel() / in, out = l.weight.dim(0);
  const auto round = [in](const Tensor& t, std::int64_t row, std::vector<double>& q) {
    const float* v = t.data<float>() + row * in;
    float most = 0;
    for (std::int64_t i = 0; i < in; ++i) most = std::max(most, std::abs(v[i]));
    const float scale = most / 127;
    for (std::int64_t i = 0; i < in; ++i)
      q[static_cast<std::size_t>(i)] = scale > 0 ? std::nearbyint(v[i] * (1 / scale)) : 0;
    return static_cast<double>(scale);
  };
  test::Values y;
  std::vector<double> a(static_cast<std::size_t>(in)), b(a);
  for (std::int64_t r = 0; r < rows; ++r) {
    const double row = round(l.x, r, a);
    for (std::int64_t o = 0; o < out; ++o) {
      const double scale = row * round(l.weight, o, b);
      y.push_back(scale * std::inner_product(a.begin(), a.end(), b.begin(), 0.0) +
                  static_cast<double>(l.bias.data<float>()[o]));
    }
  }
  return y;
}

TEST(Linear, EightBitIntegersAreAddedUpExactly) {
  for (const auto& [x, out] : shapes()) {
    SCOPED_TRACE(to_string(x));
    const Layer l = layer(x, out);
    test::for_each_target([&](const std::string&) {
      const auto backend = make_cpu_backend();
      EXPECT_LT(test::relative_error(run(*backend, l, Precision::kInt8), quantised(l)),
                test::kProductF16);
      EXPECT_LT(test::relative_error(run(*backend, l, Precision::kInt8), expected(l)),
                test::kProductInt8);
    });
  }
}

TEST(Linear, EightBitIntegersTakeAByteAWeight) {
  const auto backend = make_cpu_backend(), meta = make_meta_backend();
  for (const DType type : {DType::kF32, DType::kQ8_0}) {
    Layer l = layer({1, 2, 640}, 1280);
    l.weight = cast(l.weight, type);
    const PackedPtr packed = backend->pack_linear(l.weight, l.bias, Precision::kInt8);
    EXPECT_EQ(packed->bytes(), 640u * 1280 + 1280 * 4 * 3);
    EXPECT_EQ(packed->bytes(), meta->pack_linear(l.weight, l.bias, Precision::kInt8)->bytes());
    EXPECT_LT(test::relative_error(run(*backend, l, Precision::kInt8), expected(l)),
              test::kProductInt8);
  }
}

// Integers of 16 bits: with weights of any type, an outlier in a row, and of more channels than
// sums of 32 bits can hold.
TEST(Linear, IntegersOf16BitsAreAsExactAsWeightsOf16Bits) {
  const auto backend = make_cpu_backend();
  const double tolerance = cpu_multiplies_bf16() ? test::kProductBf16 : test::kProductInt16;
  for (const auto& [x, out] : {std::pair{Shape{2, 77, 97}, 40}, std::pair{Shape{1, 3, 67}, 33},
                               std::pair{Shape{2, 50, 320}, 320}, std::pair{Shape{5, 5121}, 64},
                               std::pair{Shape{2, 300, 320}, 40}}) {
    SCOPED_TRACE(to_string(x));
    Layer l = layer(x, out);
    for (const DType t : {DType::kF32, DType::kF16, DType::kBF16}) {
      l.weight = cast(l.weight, t);
      for (const Precision p : {Precision::kAuto, Precision::kBF16}) {
        if (p == Precision::kBF16 && t == DType::kF32) continue;
        EXPECT_LT(test::relative_error(run(*backend, l, p), expected(l)), tolerance);
      }
    }
    l.x.data<float>()[1] = 100;  // which leaves fewer bits to the other values of its row
    EXPECT_LT(test::relative_error(run(*backend, l, Precision::kAuto), expected(l)), 5 * tolerance);
  }
}

// Equal values give the largest sums, a single one the largest integer; and those whose squares
// float32 does not hold are multiplied as well.
TEST(Linear, IntegersOf16BitsDoNotOverflow) {
  const auto backend = make_cpu_backend();
  for (const float value : {1.0f, -1.0f, 1e25f, 1e-25f})
    for (const bool one : {false, true}) {
      SCOPED_TRACE(fmt::format("{} {}", value, one));
      Layer l = layer({3, 1000}, 40);
      float* x = l.x.data<float>();
      for (std::int64_t i = 0; i < l.x.numel(); ++i) x[i] = !one || i % 1000 == 300 ? value : 0;
      for (std::int64_t i = 0; i < l.weight.numel(); ++i)
        l.weight.data<float>()[i] = !one || i % 1000 == 300 ? 1 / value : 0;
      EXPECT_LT(test::relative_error(run(*backend, l, Precision::kAuto), expected(l)),
                cpu_multiplies_bf16() ? test::kProductBf16 : test::kProductInt16);
    }
}

TEST(Linear, IntegersShowWhatIsNotANumber) {
  const auto backend = make_cpu_backend();
  Layer l = layer({1, 3, 96}, 40);
  for (std::int64_t i = 0; i < 96; ++i) l.x.data<float>()[i] = 0;  // a row without a factor
  l.weight.data<float>()[5 * 96 + 7] = NAN;
  l.x.data<float>()[2 * 96 + 3] = NAN;
  for (const Precision p : {Precision::kBF16, Precision::kInt8}) {
    const test::Values y = test::values(run(*backend, l, p));
    for (std::size_t i = 0; i < y.size(); ++i)
      EXPECT_EQ(std::isnan(y[i]), i % 40 == 5 || i / 40 == 2) << i;
    EXPECT_FLOAT_EQ(static_cast<float>(y[0]), l.bias.data<float>()[0]);
  }
}

TEST(Linear, KeepsTwoBytesAWeight) {
  const auto backend = make_cpu_backend(), meta = make_meta_backend();
  const Layer l = layer({1, 2, 640}, 5120);  // several chunks
  const PackedPtr packed = backend->pack_linear(l.weight, l.bias, Precision::kBF16);
  constexpr std::size_t kBytes = 640 * 5120 * 2 + 5120 * 4, kFactors = 5120 * 4 * 4;
  EXPECT_GE(packed->bytes(), kBytes);
  EXPECT_LE(packed->bytes(), kBytes + kFactors);
  EXPECT_EQ(packed->bytes(), meta->pack_linear(l.weight, l.bias, Precision::kBF16)->bytes());
  EXPECT_EQ(backend->weight_bytes(), packed->bytes());
  EXPECT_LT(test::relative_error(run(*backend, l, Precision::kBF16), expected(l)),
            test::kProductBf16);
}

TEST(Linear, ARowDoesNotDependOnItsBatchNorOnThreads) {
  const Layer all = layer({3, 300, 768}, 64), rows = layer({3, 320}, 640);
  for (const Precision precision :
       {Precision::kF32, Precision::kAuto, Precision::kBF16, Precision::kInt8})
    for (const Layer& l : {all, rows}) {
      const Tensor first = run(*make_cpu_backend({.threads = 1}), l, precision);
      for (int threads : {2, 3})
        EXPECT_TRUE(
            test::same_bits(first, run(*make_cpu_backend({.threads = threads}), l, precision)));
      for (std::int64_t n : {1, 2}) {
        const Layer some = {l.x.slice(0, 3 - n, 3), l.weight, l.bias};
        EXPECT_TRUE(test::same_bits(first.slice(0, 3 - n, 3),
                                    run(*make_cpu_backend({.threads = 2}), some, precision)));
      }
    }
}

}  // namespace
}  // namespace mezzo
