#include <cmath>

#include <gtest/gtest.h>

#include "reference.h"
#include "tolerances.h"

namespace mezzo {
namespace {

using test::Values;

TEST(Activate, EqualsThePlainFunctions) {
  const auto backend = make_cpu_backend();
  const Tensor x = test::random_tensor({20011}, 1, 8);
  test::for_each_target([&](const std::string&) {
    for (const Activation a :
         {Activation::kNone, Activation::kSilu, Activation::kGelu, Activation::kGeluTanh,
          Activation::kQuickGelu, Activation::kRelu, Activation::kTanh}) {
      SCOPED_TRACE(static_cast<int>(a));
      Values expected = test::values(x);
      for (double& v : expected) v = test::activation(v, a);
      Tensor y = backend->upload(x);
      backend->activate(y, a, y);  // in place
      EXPECT_LT(test::absolute_error(y, expected), test::kActivation);
    }
  });
}

TEST(Activate, LargeInputsKeepTheirLimits) {
  const auto backend = make_cpu_backend();
  Tensor x(host(), DType::kF32, {4});
  const float in[] = {-1e30f, -200.0f, 200.0f, 1e30f};
  std::copy(in, in + 4, x.data<float>());
  for (const Activation a :
       {Activation::kSilu, Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu}) {
    Tensor y(*backend, DType::kF32, {4});
    backend->activate(backend->upload(x), a, y);
    EXPECT_NEAR(y.data<float>()[1], 0, 1e-30);
    EXPECT_FLOAT_EQ(y.data<float>()[2], 200);
    EXPECT_FLOAT_EQ(y.data<float>()[3], 1e30f);
    EXPECT_LE(std::abs(y.data<float>()[0]), 1e-6f);
  }
}

TEST(Activate, ExponentialIsRelativelyExact) {
  const auto backend = make_cpu_backend();
  const Tensor x = test::random_tensor({1003}, 1, 80);
  test::for_each_target([&](const std::string&) {
    Tensor y(*backend, DType::kF32, x.shape());
    backend->activate(x, Activation::kExp, y);
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      const double expected = std::exp(static_cast<double>(x.data<float>()[i]));
      ASSERT_NEAR(static_cast<double>(y.data<float>()[i]), expected, 1e-6 * expected);
    }
  });
}

TEST(AddAndMultiply, RepeatTheSecondOperand) {
  const auto backend = make_cpu_backend();
  const Tensor a = test::random_tensor({3, 50, 37}, 1);
  test::for_each_target([&](const std::string&) {
    for (const Shape& shape : {Shape{3, 50, 37}, Shape{50, 37}, Shape{37}, Shape{1}}) {
      SCOPED_TRACE(to_string(shape));
      const Tensor b = test::random_tensor(shape, 2);
      Values sum = test::values(a), product = sum;
      const Values other = test::values(b);
      for (std::size_t i = 0; i < sum.size(); ++i) {
        sum[i] += other[i % other.size()];
        product[i] *= other[i % other.size()];
      }
      Tensor out(*backend, DType::kF32, a.shape());
      const Tensor x = backend->upload(a), y = backend->upload(b);
      backend->add(x, y, out);
      EXPECT_LT(test::relative_error(out, sum), test::kArithmetic);
      backend->multiply(x, y, out);
      EXPECT_LT(test::relative_error(out, product), test::kArithmetic);
    }
  });
}

TEST(Scale, MultipliesAndShifts) {
  const auto backend = make_cpu_backend();
  const Tensor x = test::random_tensor({1001}, 1);
  Values expected = test::values(x);
  for (double& v : expected) v = v * 0.5 + 0.25;
  Tensor out(*backend, DType::kF32, x.shape());
  backend->scale(backend->upload(x), 0.5f, 0.25f, out);
  EXPECT_LT(test::relative_error(out, expected), test::kArithmetic);
}

TEST(Clamp, KeepsValuesBetweenTheLimits) {
  const auto backend = make_cpu_backend();
  const Tensor x = test::random_tensor({1001}, 1);
  Tensor out(*backend, DType::kF32, x.shape());
  backend->clamp(x, -0.25f, 0.5f, out);
  for (std::int64_t i = 0; i < x.numel(); ++i)
    ASSERT_EQ(out.data<float>()[i], std::clamp(x.data<float>()[i], -0.25f, 0.5f));
}

TEST(Geglu, EqualsItsDefinitionAndTheDefaultBody) {
  const auto backend = make_cpu_backend();
  const Tensor x = test::random_tensor({2, 31, 2 * 45}, 1, 5);
  Values expected;
  const Values in = test::values(x);
  for (std::size_t row = 0; row < 62; ++row)
    for (std::size_t i = 0; i < 45; ++i)
      expected.push_back(in[row * 90 + i] *
                         test::activation(in[row * 90 + 45 + i], Activation::kGelu));
  const Tensor on_device = backend->upload(x);
  test::for_each_target([&](const std::string&) {
    Tensor fused(*backend, DType::kF32, {2, 31, 45}), plain(*backend, DType::kF32, {2, 31, 45});
    backend->geglu(on_device, fused);
    backend->Backend::geglu(on_device, plain);
    EXPECT_LT(test::relative_error(fused, expected), test::kActivation);
    EXPECT_LT(test::relative_error(plain, expected), test::kActivation);
  });
}

}  // namespace
}  // namespace mezzo
