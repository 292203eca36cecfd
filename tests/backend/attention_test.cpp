#include <cmath>

#include <gtest/gtest.h>

#include "reference.h"
#include "tolerances.h"

namespace mezzo {
namespace {

struct Case {
  std::int64_t images, lq, lk, d;
  int heads;
  bool causal = false;
  std::int64_t bias = 0;  // its first dimension; 0: none
};

Tensor run(Backend& backend, const Tensor& q, const Tensor& k, const Tensor& v, AttentionConfig c) {
  if (c.bias.defined()) c.bias = backend.upload(c.bias);
  Tensor out(backend, DType::kF32, q.shape());
  backend.attention(backend.upload(q), backend.upload(k), backend.upload(v), c, out);
  return backend.download(out);
}

double tolerance(Precision p) {
  if (p == Precision::kF32) return test::kAttention;
  return cpu_multiplies_bf16() ? test::kAttentionBf16 : test::kAttentionInt16;
}

TEST(Attention, EqualsThePlainLoops) {
  const std::vector<Case> cases = {{2, 50, 77, 40, 2},
                                   {1, 130, 300, 64, 1},
                                   {1, 9, 257, 80, 2},
                                   {1, 64, 64, 160, 1},
                                   {1, 49, 5, 3, 2},
                                   {1, 7, 33, 4, 3},
                                   {1, 20, 20, 48, 2, true},
                                   {2, 200, 200, 64, 1, true},
                                   {1, 30, 150, 512, 1},
                                   {1, 10, 70, 256, 2},
                                   {1, 10, 70, 257, 1},
                                   {1, 1, 1, 8, 1},
                                   {1, 21, 130, 16, 3, false, 3},
                                   {1, 60, 40, 32, 2, false, 1},
                                   {1, 140, 140, 24, 2, true, 2}};
  const auto backend = make_cpu_backend();
  test::for_each_target([&](const std::string&) {
    for (const Case& c : cases) {
      SCOPED_TRACE(
          fmt::format("{} images, {} x {}, {} heads of {}", c.images, c.lq, c.lk, c.heads, c.d));
      const Tensor q = test::random_tensor({c.images, c.lq, c.heads * c.d}, 1, 3),
                   k = test::random_tensor({c.images, c.lk, c.heads * c.d}, 2, 3),
                   v = test::random_tensor({c.images, c.lk, c.heads * c.d}, 3);
      AttentionConfig config = {.heads = c.heads,
                                .scale = 1 / std::sqrt(static_cast<float>(c.d)),
                                .causal = c.causal,
                                .bias = {}};
      if (c.bias) config.bias = test::random_tensor({c.bias, c.lq, c.lk}, 4, 2);
      const test::Values exact = test::attention(q, k, v, config);
      EXPECT_LT(test::relative_error(run(*backend, q, k, v, config), exact), test::kAttention);
      config.precision = Precision::kAuto;
      EXPECT_LT(test::relative_error(run(*backend, q, k, v, config), exact),
                tolerance(config.precision));
      config.precision = Precision::kInt8;
      EXPECT_LT(test::relative_error(run(*backend, q, k, v, config), exact), test::kAttentionInt8);
    }
  });
}

TEST(Attention, ShowsWhatIsNotANumber) {
  const auto backend = make_cpu_backend();
  AttentionConfig config = {.heads = 1, .scale = 0.2f, .causal = false, .bias = {}};
  const Shape shape = {1, 70, 24};
  test::for_each_target([&](const std::string& target) {
    for (const Precision p : {Precision::kF32, Precision::kAuto, Precision::kInt8}) {
      SCOPED_TRACE(fmt::format("{} precision {}", target, static_cast<int>(p)));
      config.precision = p;
      for (const int operand : {0, 1, 2}) {
        Tensor parts[] = {test::random_tensor(shape, 1), test::random_tensor(shape, 2),
                          test::random_tensor(shape, 3)};
        parts[operand].data<float>()[33 * 24 + 5] = NAN;
        const auto y = test::values(run(*backend, parts[0], parts[1], parts[2], config));
        // A query spoils its row, a key every row, a value its column.
        for (std::size_t i = 0; i < y.size(); ++i) {
          const bool spoilt = operand == 0 ? i / 24 == 33 : operand == 1 ? true : i % 24 == 5;
          EXPECT_EQ(std::isnan(y[i]), spoilt) << operand << " " << i;
        }
      }
    }
  });
}

TEST(JointAttention, EqualsThePlainLoopsOverAllSequences) {
  struct Lengths {
    std::vector<std::int64_t> sequences;
    std::size_t silent;  // has no queries; none: the number of sequences
  };
  const auto backend = make_cpu_backend();
  const std::int64_t width = 3 * 20;
  test::for_each_target([&](const std::string&) {
    for (const Lengths& l : {Lengths{{77, 200}, 2}, Lengths{{77, 200}, 0}, Lengths{{3, 1, 130}, 1},
                             Lengths{{128, 64}, 2}, Lengths{{50}, 1}}) {
      SCOPED_TRACE(
          fmt::format("{} sequences, the first of {}", l.sequences.size(), l.sequences[0]));
      std::int64_t total = 0;
      for (const auto n : l.sequences) total += n;
      const Tensor q = backend->upload(test::random_tensor({2, total, width}, 1, 3)),
                   k = backend->upload(test::random_tensor({2, total, width}, 2, 3)),
                   v = backend->upload(test::random_tensor({2, total, width}, 3));
      std::vector<AttentionPart> parts;
      std::vector<Tensor> fused, composed;
      std::int64_t at = 0;
      for (std::size_t i = 0; i < l.sequences.size(); ++i) {
        const auto cut = [&](const Tensor& t) { return t.slice(1, at, at + l.sequences[i]); };
        parts.push_back({i == l.silent ? Tensor() : cut(q), cut(k), cut(v)});
        for (auto* outs : {&fused, &composed})
          outs->push_back(
              i == l.silent ? Tensor() : Tensor(*backend, DType::kF32, {2, l.sequences[i], width}));
        at += l.sequences[i];
      }
      for (const Precision p : {Precision::kF32, Precision::kAuto}) {
        const AttentionConfig config = {
            .heads = 3, .scale = 0.3f, .causal = false, .bias = {}, .precision = p};
        backend->joint_attention(parts, config, fused);
        backend->Backend::joint_attention(parts, config, composed);
        for (std::size_t i = 0; i < parts.size(); ++i) {
          if (i == l.silent) continue;
          const auto expected = test::attention(parts[i].q, k, v, config);
          EXPECT_LT(test::relative_error(fused[i], expected), tolerance(p));
          EXPECT_LT(test::relative_error(composed[i], expected), tolerance(p));
        }
      }
    }
  });
}

TEST(Attention, ReadsSlicesOfAFusedProjection) {
  const auto backend = make_cpu_backend();
  const Tensor qkv = backend->upload(test::random_tensor({2, 70, 3 * 48}, 1));
  const Tensor q = qkv.slice(-1, 0, 48), k = qkv.slice(-1, 48, 96), v = qkv.slice(-1, 96, 144);
  const AttentionConfig config = {.heads = 3, .scale = 0.25f, .causal = false, .bias = {}};
  Tensor out(*backend, DType::kF32, {2, 70, 48});
  backend->attention(q, k, v, config, out);
  EXPECT_LT(test::relative_error(out, test::attention(q, k, v, config)), test::kAttention);
}

TEST(Attention, MaskedKeysWeighNothing) {
  const auto backend = make_cpu_backend();
  const Tensor q = test::random_tensor({1, 5, 16}, 1), k = test::random_tensor({1, 300, 16}, 2),
               v = test::random_tensor({1, 300, 16}, 3);
  for (const float masked : {-INFINITY, -std::numeric_limits<float>::max()})
    for (const Precision p : {Precision::kF32, Precision::kAuto}) {
      AttentionConfig config = {.heads = 1,
                                .scale = 1,
                                .causal = false,
                                .bias = Tensor(host(), DType::kF32, {1, 5, 300}),
                                .precision = p};
      for (std::int64_t i = 0; i < 5 * 300; ++i)
        config.bias.data<float>()[i] = i % 300 < 270 ? masked : 0.0f;
      const Tensor all = run(*backend, q, k, v, config);
      config.bias = {};
      EXPECT_LT(test::relative_error(
                    all, test::attention(q, k.slice(1, 270, 300), v.slice(1, 270, 300), config)),
                tolerance(p));
    }
}

// What two operands of equal values, and of a single one, give is as large as sums can be: scores
// over the width of a head, results over a block of keys.
TEST(Attention, IntegersOf16BitsDoNotOverflow) {
  const auto backend = make_cpu_backend();
  for (const bool one : {false, true}) {
    Tensor x(host(), DType::kF32, {1, 300, 256});  // of whose rows every second is negative
    for (std::int64_t i = 0; i < x.numel(); ++i)
      x.data<float>()[i] = one && i % 256 != 7 ? 0.0f : i / 256 % 2 ? -1.0f : 1.0f;
    const AttentionConfig config = {.heads = 1,
                                    .scale = 1.0f / 256,
                                    .causal = false,
                                    .bias = {},
                                    .precision = Precision::kAuto};
    EXPECT_LT(
        test::relative_error(run(*backend, x, x, x, config), test::attention(x, x, x, config)),
        tolerance(config.precision));
  }
}

// The factor of a block's probabilities is its own: one key counts as much as 4096 others of which
// each has a 25,000th of its weight, and only those beside it lose digits.
TEST(Attention, SmallProbabilitiesCount) {
  const auto backend = make_cpu_backend();
  Tensor q(host(), DType::kF32, {1, 2, 8}), k(host(), DType::kF32, {1, 4097, 8}),
      v(host(), DType::kF32, {1, 4097, 8});
  for (const Tensor* t : {&q, &k, &v}) std::fill_n(t->data<float>(), t->numel(), 0.0f);
  q.data<float>()[0] = q.data<float>()[8] = 1;
  k.data<float>()[0] = std::log(25000.0f);
  for (std::int64_t i = 1; i < 4097; ++i) v.data<float>()[i * 8] = 1;
  const AttentionConfig config = {
      .heads = 1, .scale = 1, .causal = false, .bias = {}, .precision = Precision::kAuto};
  EXPECT_LT(test::relative_error(run(*backend, q, k, v, config), test::attention(q, k, v, config)),
            cpu_multiplies_bf16() ? test::kAttentionBf16 : 1e-2);
}

TEST(Attention, LargeScoresDoNotOverflow) {
  const auto backend = make_cpu_backend();
  const Tensor q = test::random_tensor({1, 60, 40}, 1, 100),
               k = test::random_tensor({1, 200, 40}, 2, 100),
               v = test::random_tensor({1, 200, 40}, 3);
  AttentionConfig config = {.heads = 1, .scale = 1, .causal = false, .bias = {}};
  // Scores of 1e5 have an absolute error of 1e-2 in float32, which is the relative error of their
  // exponentials.
  EXPECT_LT(test::relative_error(run(*backend, q, k, v, config), test::attention(q, k, v, config)),
            5e-2);
  config.precision = Precision::kAuto;
  for (const double value : test::values(run(*backend, q, k, v, config)))
    EXPECT_LE(std::abs(value), 1.01);  // a mean of values of at most 1
}

TEST(Attention, AnImageDoesNotDependOnItsBatchNorOnThreads) {
  const Tensor q = test::random_tensor({3, 101, 120}, 1), k = test::random_tensor({3, 201, 120}, 2),
               v = test::random_tensor({3, 201, 120}, 3);
  for (const Precision p : {Precision::kF32, Precision::kAuto, Precision::kInt8}) {
    const AttentionConfig config = {
        .heads = 3, .scale = 0.2f, .causal = false, .bias = {}, .precision = p};
    const Tensor first = run(*make_cpu_backend({.threads = 1}), q, k, v, config);
    for (int threads : {2, 3})
      EXPECT_TRUE(
          test::same_bits(first, run(*make_cpu_backend({.threads = threads}), q, k, v, config)));
    for (std::int64_t n : {1, 2})
      EXPECT_TRUE(test::same_bits(first.slice(0, 3 - n, 3),
                                  run(*make_cpu_backend({.threads = 2}), q.slice(0, 3 - n, 3),
                                      k.slice(0, 3 - n, 3), v.slice(0, 3 - n, 3), config)));
  }
}

}  // namespace
}  // namespace mezzo
