#include <gtest/gtest.h>

#include "reference.h"
#include "tolerances.h"

namespace mezzo {
namespace {

Tensor shifted(const Shape& shape, unsigned seed, float shift) {
  Tensor t = test::random_tensor(shape, seed, 2);
  for (std::int64_t i = 0; i < t.numel(); ++i) t.data<float>()[i] += shift;
  return t;
}

Tensor group_norm(Backend& backend, const Tensor& x, const Tensor& w, const Tensor& b,
                  const GroupNormConfig& c) {
  Tensor out(backend, DType::kF32, x.shape());
  backend.group_norm(backend.upload(x), w.defined() ? backend.upload(w) : w,
                     b.defined() ? backend.upload(b) : b, c, out);
  return backend.download(out);
}

TEST(GroupNorm, EqualsThePlainLoops) {
  const auto backend = make_cpu_backend();
  test::for_each_target([&](const std::string&) {
    for (const auto& [shape, groups] : std::vector<std::pair<Shape, int>>{{{2, 8, 8, 64}, 32},
                                                                          {{1, 20, 30, 40}, 4},
                                                                          {{3, 1, 1, 6}, 3},
                                                                          {{1, 5, 7, 33}, 11},
                                                                          {{1, 700, 320}, 32},
                                                                          {{2, 3, 2560}, 32}}) {
      SCOPED_TRACE(to_string(shape));
      const Tensor x = shifted(shape, 1, 0.5f), w = test::random_tensor({shape[-1]}, 2),
                   b = test::random_tensor({shape[-1]}, 3);
      for (const Activation a : {Activation::kNone, Activation::kSilu})
        EXPECT_LT(test::relative_error(group_norm(*backend, x, w, b, {groups, 1e-5f, a}),
                                       test::group_norm(x, w, b, {groups, 1e-5f, a})),
                  test::kNorm);
      EXPECT_LT(test::relative_error(group_norm(*backend, x, {}, {}, {groups, 1e-6f}),
                                     test::group_norm(x, {}, {}, {groups, 1e-6f})),
                test::kNorm);
    }
  });
}

TEST(GroupNorm, IsAFactorAndAnOffsetForEachChannel) {
  const auto backend = make_cpu_backend();
  const Tensor x = backend->upload(shifted({2, 40, 30, 64}, 1, 0.5f)),
               w = backend->upload(test::random_tensor({64}, 2)),
               bias = backend->upload(test::random_tensor({64}, 3));
  const GroupNormConfig config{32, 1e-6f};
  Tensor whole(*backend, DType::kF32, x.shape()), factors(*backend, DType::kF32, {2, 2, 64});
  backend->group_norm(x, w, bias, config, whole);
  backend->group_norm_factors(x, w, bias, config, factors);
  test::Values expected(static_cast<std::size_t>(x.numel()));
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const float* f = factors.data<float>() + i / (x.numel() / 2) * 2 * 64 + i % 64;
    expected[static_cast<std::size_t>(i)] =
        static_cast<double>(x.data<float>()[i]) * static_cast<double>(f[0]) +
        static_cast<double>(f[64]);
  }
  EXPECT_LT(test::relative_error(whole, expected), test::kNorm);
}

TEST(GroupNorm, StaysExactFarFromZero) {
  const auto backend = make_cpu_backend();
  const Tensor x = shifted({1, 64, 64, 32}, 1, 1000.0f);
  // The inputs themselves have an error of 1000 * 2^-24 against a spread of 1.
  EXPECT_LT(test::relative_error(group_norm(*backend, x, {}, {}, {8, 1e-5f}),
                                 test::group_norm(x, {}, {}, {8, 1e-5f})),
            1e-4);
}

TEST(GroupNorm, AnImageDoesNotDependOnItsBatchNorOnThreads) {
  const Tensor x = test::random_tensor({3, 40, 40, 96}, 1), w = test::random_tensor({96}, 2),
               b = test::random_tensor({96}, 3);
  const Tensor first = group_norm(*make_cpu_backend({.threads = 1}), x, w, b, {});
  for (int threads : {2, 3})
    EXPECT_TRUE(
        test::same_bits(first, group_norm(*make_cpu_backend({.threads = threads}), x, w, b, {})));
  EXPECT_TRUE(test::same_bits(first.slice(0, 1, 3),
                              group_norm(*make_cpu_backend(), x.slice(0, 1, 3), w, b, {})));
}

TEST(LayerNorm, EqualsThePlainLoops) {
  const auto backend = make_cpu_backend();
  test::for_each_target([&](const std::string&) {
    for (const Shape& shape : {Shape{2, 77, 768}, Shape{3, 5}, Shape{1, 9, 33}, Shape{2, 1}}) {
      SCOPED_TRACE(to_string(shape));
      const Tensor x = shifted(shape, 1, 3), w = test::random_tensor({shape[-1]}, 2),
                   b = test::random_tensor({shape[-1]}, 3);
      for (const auto& [weight, bias] :
           std::vector<std::pair<Tensor, Tensor>>{{w, b}, {w, {}}, {{}, b}, {{}, {}}}) {
        Tensor out(*backend, DType::kF32, shape);
        backend->layer_norm(backend->upload(x), weight.defined() ? backend->upload(weight) : weight,
                            bias.defined() ? backend->upload(bias) : bias, 1e-5f, out);
        EXPECT_LT(test::relative_error(out, test::layer_norm(x, weight, bias, 1e-5f)), test::kNorm);
      }
    }
  });
}

TEST(ModulatedLayerNorm, EqualsThePlainLoops) {
  const auto backend = make_cpu_backend();
  test::for_each_target([&](const std::string&) {
    for (const Shape& shape : {Shape{2, 77, 96}, Shape{3, 5}, Shape{2, 3, 4, 33}}) {
      SCOPED_TRACE(to_string(shape));
      const Tensor x = backend->upload(shifted(shape, 1, 3));
      // Views: what a linear layer gives for all modulations together.
      const Tensor all = backend->upload(test::random_tensor({shape[0], 4 * shape[-1]}, 2));
      const Tensor shift = all.slice(1, 0, shape[-1]),
                   scale = all.slice(1, 2 * shape[-1], 3 * shape[-1]);
      const auto expected = test::modulated_layer_norm(x, scale, shift, 1e-6);
      Tensor fused(*backend, DType::kF32, shape), composed(*backend, DType::kF32, shape);
      backend->modulated_layer_norm(x, scale, shift, 1e-6f, fused);
      EXPECT_LT(test::relative_error(fused, expected), test::kNorm);
      backend->Backend::modulated_layer_norm(x, scale, shift, 1e-6f, composed);
      EXPECT_LT(test::relative_error(composed, expected), test::kNorm);
    }
  });
}

TEST(RmsNorm, EqualsThePlainLoops) {
  const auto backend = make_cpu_backend();
  test::for_each_target([&](const std::string&) {
    for (const Shape& shape : {Shape{2, 10, 24, 64}, Shape{3, 5}, Shape{77, 4096}}) {
      SCOPED_TRACE(to_string(shape));
      const Tensor x = shifted(shape, 1, 1), w = test::random_tensor({shape[-1]}, 2);
      for (const Tensor& weight : {w, Tensor()}) {
        Tensor out(*backend, DType::kF32, shape);
        backend->rms_norm(backend->upload(x), weight.defined() ? backend->upload(weight) : weight,
                          1e-6f, out);
        EXPECT_LT(test::relative_error(out, test::rms_norm(x, weight, 1e-6f)), test::kNorm);
      }
    }
  });
}

}  // namespace
}  // namespace mezzo
