#include <gtest/gtest.h>

#include "reference.h"
#include "tensor/convert.h"
#include "tolerances.h"

namespace mezzo {
namespace {

struct Case {
  std::int64_t images, h, w;
  Conv2dConfig config;
};

Conv2dConfig square(std::int64_t in, std::int64_t out, int kernel, int stride = 1) {
  const int pad = kernel / 2;
  return {in, out, kernel, stride, pad, pad, pad, pad};
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {{1, 8, 8, square(16, 24, 3)},
                                        {2, 5, 7, square(4, 20, 3)},
                                        {1, 9, 6, square(33, 3, 3)},
                                        {2, 1, 1, square(7, 5, 3)},
                                        {1, 6, 10, square(40, 17, 1)},
                                        {3, 4, 4, square(3, 8, 1)},
                                        {1, 9, 9, square(12, 10, 3, 2)},
                                        {2, 8, 8, {10, 12, 3, 2, 0, 0, 1, 1}},
                                        {1, 12, 8, {3, 9, 4, 4, 0, 0, 0, 0}},
                                        {1, 1, 5, square(8, 8, 1)},
                                        {1, 16, 16, {16, 12, 2, 2, 0, 0, 0, 0}},
                                        {1, 7, 70, square(20, 36, 3)},
                                        {2, 19, 141, square(5, 9, 3)},
                                        {1, 3, 200, {6, 8, 3, 1, 0, 2, 1, 0}},
                                        {1, 10, 128, square(8, 3, 5)},
                                        {1, 6, 5, square(640, 58, 3)}};  // packed in several pieces
  return all;
}

std::string text(const Case& c) {
  return fmt::format("{}x{}x{} {}->{} k{} s{}", c.images, c.h, c.w, c.config.in, c.config.out,
                     c.config.kernel, c.config.stride);
}

struct Layer {
  Tensor x, weight, bias, channel_add, add;
};

Layer layer(const Case& c) {
  const auto& k = c.config;
  Layer l = {test::random_tensor({c.images, c.h, c.w, k.in}, 1),
             test::random_tensor({k.out, k.in, k.kernel, k.kernel}, 2),
             test::random_tensor({k.out}, 3),
             test::random_tensor({c.images, k.out}, 4),
             {}};
  l.add = test::random_tensor(test::conv_shape(l.x, k), 5);
  return l;
}

Tensor run(Backend& backend, const Layer& l, const Conv2dConfig& c, Precision precision,
           const Epilogue& epilogue) {
  const PackedPtr packed = backend.pack_conv2d(l.weight, l.bias, c, precision);
  Tensor out(backend, DType::kF32, test::conv_shape(l.x, c));
  Epilogue e = epilogue;
  if (e.channel_add.defined()) e.channel_add = backend.upload(e.channel_add);
  if (e.add.defined()) e.add = backend.upload(e.add);
  backend.conv2d(backend.upload(l.x), *packed, e, out);
  return backend.download(out);
}

test::Values expected(const Layer& l, const Conv2dConfig& c, const Epilogue& e) {
  const Shape shape = test::conv_shape(l.x, c);
  const Tensor exact_weight = cast(l.weight, DType::kF32);
  test::Values y = test::conv2d(l.x, exact_weight, l.bias, c, shape);
  test::finish(y, e, shape[1] * shape[2] * shape[3], shape[3]);
  return y;
}

TEST(Conv2d, EqualsThePlainLoopsForEveryEpilogue) {
  const auto backend = make_cpu_backend();
  for (const Case& c : cases()) {
    SCOPED_TRACE(text(c));
    Layer l = layer(c);
    for (const Epilogue& e :
         {Epilogue{}, Epilogue{l.channel_add, {}}, Epilogue{{}, l.add},
          Epilogue{l.channel_add, l.add}, Epilogue{l.channel_add, l.add, Activation::kSilu},
          Epilogue{{}, {}, Activation::kGelu}})
      EXPECT_LT(test::relative_error(run(*backend, l, c.config, Precision::kF32, e),
                                     expected(l, c.config, e)),
                test::kProduct);
    l.bias = {};
    EXPECT_LT(test::relative_error(run(*backend, l, c.config, Precision::kF32, {}),
                                   expected(l, c.config, {})),
              test::kProduct);
  }
}

TEST(Conv2d, AddsToTheResidualInPlace) {
  const auto backend = make_cpu_backend();
  for (const Case& c : cases()) {
    SCOPED_TRACE(text(c));
    const Layer l = layer(c);
    const PackedPtr packed = backend->pack_conv2d(l.weight, l.bias, c.config, Precision::kF32);
    Tensor out = backend->upload(l.add);
    Epilogue e;
    e.add = out;
    backend->conv2d(backend->upload(l.x), *packed, e, out);
    EXPECT_LT(test::relative_error(out, expected(l, c.config, {{}, l.add})), test::kProduct);
  }
}

TEST(Conv2d, SixteenBitWeightsAreAsExactAsTheirType) {
  const auto backend = make_cpu_backend();
  for (const Case& c : cases()) {
    SCOPED_TRACE(text(c));
    Layer l = layer(c);
    const Epilogue e = {l.channel_add, l.add};
    EXPECT_LT(test::relative_error(run(*backend, l, c.config, Precision::kBF16, e),
                                   expected(l, c.config, e)),
              test::kProductBf16);
    l.weight = cast(l.weight, DType::kF16);
    const double tolerance = cpu_multiplies_bf16() ? test::kProductBf16 : test::kProductF16;
    EXPECT_LT(test::relative_error(run(*backend, l, c.config, Precision::kBF16, e),
                                   expected(l, c.config, e)),
              tolerance);
  }
}

TEST(Conv2d, EightBitIntegersAreCloseOnEveryInstructionSet) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(text(c));
    const Layer l = layer(c);
    const Epilogue e = {l.channel_add, l.add};
    test::for_each_target([&](const std::string&) {
      const auto backend = make_cpu_backend();
      const Tensor y = run(*backend, l, c.config, Precision::kInt8, e);
      EXPECT_LT(test::relative_error(y, expected(l, c.config, e)), test::kProductInt8);
    });
  }
}

// Large enough that 16-bit weights are widened in several chunks.
TEST(Conv2d, Float16WeightsGiveTheBitsOfFloat32) {
  if (cpu_multiplies_bf16()) GTEST_SKIP() << "this CPU multiplies bfloat16";
  const auto backend = make_cpu_backend();
  const Case c = {2, 3, 5, square(1280, 320, 3)};
  Layer l = layer(c);
  l.weight = cast(l.weight, DType::kF16);
  for (const Epilogue& e : {Epilogue{}, Epilogue{l.channel_add, l.add, Activation::kSilu}})
    EXPECT_TRUE(test::same_bits(run(*backend, l, c.config, Precision::kF32, e),
                                run(*backend, l, c.config, Precision::kBF16, e)));
  const PackedPtr packed = backend->pack_conv2d(l.weight, l.bias, c.config, Precision::kBF16);
  EXPECT_LT(packed->bytes(), static_cast<std::size_t>(l.weight.numel()) * 2 + 4096);
}

// The same bits as when the picture is made first, directly and by Winograd's algorithm.
TEST(Conv2d, OfOnePixelIsALinearLayer) {
  const auto backend = make_cpu_backend();
  const Conv2dConfig c = {.in = 96,
                          .out = 72,
                          .kernel = 1,
                          .pad_top = 0,
                          .pad_left = 0,
                          .pad_bottom = 0,
                          .pad_right = 0};
  const Tensor x = test::random_tensor({2, 9, 11, 96}, 1), bias = test::random_tensor({72}, 3),
               weight = cast(test::random_tensor({72, 96, 1, 1}, 2), DType::kF16);
  for (const bool normalises : {false, true})
    for (const Precision p : {Precision::kF32, Precision::kAuto}) {
      ConvInput input = backend->upload(x);
      if (normalises) {
        input.factors = backend->upload(test::random_tensor({2, 2, 96}, 4));
        input.activation = Activation::kSilu;
      }
      Tensor exact(*backend, DType::kF32, {2, 9, 11, 72}),
          out(*backend, DType::kF32, exact.shape());
      backend->conv2d(input, *backend->pack_conv2d(weight, bias, c, Precision::kF32), {}, exact);
      backend->conv2d(input, *backend->pack_conv2d(weight, bias, c, p), {}, out);
      EXPECT_LT(
          test::relative_error(backend->download(out), test::values(backend->download(exact))),
          cpu_multiplies_bf16() ? test::kProductBf16 : test::kProductInt16);
    }
}

TEST(Conv2d, NormalisesAndEnlargesWhereItReads) {
  const auto backend = make_cpu_backend({.threads = 2});
  for (const Precision precision :
       {Precision::kF32, Precision::kAuto, Precision::kBF16, Precision::kInt8})
    for (const auto& [side, c] : {std::pair{std::int64_t{5}, square(20, 9, 3)},
                                  {7, square(64, 96, 3)},
                                  {40, square(64, 64, 3)},
                                  {6, square(12, 10, 3, 2)},
                                  {60, square(8, 7, 1)}})
      for (const auto& [normalises, enlarge] : {std::pair{true, 1}, {false, 2}, {true, 3}}) {
        if (c.kernel == 1 && enlarge > 1) continue;  // integers have other ranges then
        SCOPED_TRACE(fmt::format("{} side {} {} {}", c.kernel, side, normalises, enlarge));
        const Tensor weight = test::random_tensor({c.out, c.in, c.kernel, c.kernel}, 2);
        const PackedPtr packed = backend->pack_conv2d(weight, {}, c, precision);
        ConvInput lazy(backend->upload(test::random_tensor({2, side, side + 2, c.in}, 1)));
        Tensor made(*backend, DType::kF32, lazy.x.shape());
        if (normalises) {
          const GroupNormConfig norm{2, 1e-6f, Activation::kSilu};
          lazy.factors = Tensor(*backend, DType::kF32, {2, 2, c.in});
          lazy.activation = norm.activation;
          backend->group_norm_factors(lazy.x, {}, {}, norm, lazy.factors);
          backend->group_norm(lazy.x, {}, {}, norm, made);
        } else {
          made = lazy.x;
        }
        lazy.enlarge = enlarge;
        Tensor larger(*backend, DType::kF32, {2, lazy.height(), lazy.width(), c.in});
        backend->upsample_nearest(made, larger);
        Tensor at_once(*backend, DType::kF32, test::conv_shape(larger, c)),
            after(*backend, DType::kF32, at_once.shape());
        backend->conv2d(lazy, *packed, {}, at_once);
        backend->conv2d(larger, *packed, {}, after);
        EXPECT_TRUE(test::same_bits(at_once, after));
      }
}

TEST(Conv2d, AnImageDoesNotDependOnItsBatchNorOnThreads) {
  for (const Precision precision :
       {Precision::kF32, Precision::kAuto, Precision::kBF16, Precision::kInt8})
    for (const auto& [config, width] : {std::pair{square(64, 80, 3), 17},
                                        {square(96, 40, 1), 17},
                                        {square(20, 36, 3, 2), 17},
                                        {square(16, 24, 3), 150}}) {
      const Layer all = layer({3, 13, width, config});
      const Tensor first = run(*make_cpu_backend({.threads = 1}), all, config, precision,
                               {all.channel_add, all.add});
      for (int threads : {2, 3})
        EXPECT_TRUE(test::same_bits(first, run(*make_cpu_backend({.threads = threads}), all, config,
                                               precision, {all.channel_add, all.add})));
      for (std::int64_t n : {1, 2}) {  // images 3-n..2
        const Layer some = {all.x.slice(0, 3 - n, 3), all.weight, all.bias,
                            all.channel_add.slice(0, 3 - n, 3), all.add.slice(0, 3 - n, 3)};
        EXPECT_TRUE(test::same_bits(first.slice(0, 3 - n, 3),
                                    run(*make_cpu_backend({.threads = 2}), some, config, precision,
                                        {some.channel_add, some.add})));
      }
    }
}

}  // namespace
}  // namespace mezzo
