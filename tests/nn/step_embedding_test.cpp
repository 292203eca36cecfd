#include "nn/step_embedding.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mezzo::nn {
namespace {

using testing::ElementsAre;

constexpr std::int64_t kWidth = 24, kOut = 40;

/// One linear layer of numbers that are told from their place.
class OneLayer final : public TensorSource {
 public:
  OneLayer() {
    tensors_ = {{.name = "linear.bias", .dtype = DType::kF32, .shape = {kOut}},
                {.name = "linear.weight", .dtype = DType::kF32, .shape = {kOut, kWidth}}};
  }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void read(std::size_t, std::span<std::byte> out) const override {
    std::vector<float> values(out.size() / sizeof(float));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = std::sin(static_cast<float>(i * i % 97));
    std::memcpy(out.data(), values.data(), out.size());
  }
  std::string origin() const override { return "one layer"; }

 private:
  std::vector<TensorInfo> tensors_;
};

class Steps : public ::testing::Test {
 protected:
  /// Two rows for each picture.
  std::vector<float> at(std::vector<double> timesteps, Memo* memo) {
    const auto rows = 2 * static_cast<std::int64_t>(timesteps.size());
    const StepEmbedding step(timesteps, rows, memo, [&](std::span<const double> times) {
      embedded.emplace_back(times.begin(), times.end());
      Tensor x(host(), DType::kF32, {2 * static_cast<std::int64_t>(times.size()), kWidth});
      for (std::int64_t i = 0; i < x.numel(); ++i)
        x.data<float>()[i] =
            static_cast<float>(std::cos(times[static_cast<std::size_t>(i / (2 * kWidth))] +
                                        static_cast<double>(i % (2 * kWidth))));
      return backend->upload(x);
    });
    const Tensor out = backend->download(last = step.through(linear));
    EXPECT_EQ(out.shape(), Shape({rows, kOut}));
    return {out.data<float>(), out.data<float>() + out.numel()};
  }

  std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
  std::shared_ptr<TensorSource> source = std::make_shared<OneLayer>();
  Linear linear{Weights(source, *backend, Precision::kAuto, "network") / "linear",
                {.in = kWidth, .out = kOut}};
  Tensor last;                                // what at() returned, where it lies
  std::vector<std::vector<double>> embedded;  // times of each call
};

TEST_F(Steps, AreComputedTogetherToTheBit) {
  Memo memo;
  memo.expect({9, 7, 7, 5});
  for (double t : {9, 7, 5, 7}) {
    const auto together = at({t}, &memo);
    EXPECT_EQ(together, at({t}, nullptr)) << t;
  }
  EXPECT_THAT(embedded, ElementsAre(ElementsAre(9, 7, 5), ElementsAre(9), ElementsAre(7),
                                    ElementsAre(5), ElementsAre(7)));
  at({9}, &memo);
  const void* place = last.raw();
  at({9}, &memo);
  EXPECT_EQ(last.raw(), place);
}

TEST_F(Steps, OfMorePicturesAreFewer) {
  Memo memo;
  memo.expect({9, 7, 5, 3});
  for (double t : {9, 5}) {
    const std::vector<double> times(4, t);  // 8 rows, of 16
    const auto together = at(times, &memo);
    EXPECT_EQ(together, at(times, nullptr)) << t;
  }
  EXPECT_THAT(embedded[0], ElementsAre(9, 9, 9, 9, 7, 7, 7, 7));
  EXPECT_THAT(embedded[2], ElementsAre(5, 5, 5, 5, 3, 3, 3, 3));
}

TEST_F(Steps, ThatWereNotExpectedAreComputedAlone) {
  Memo memo;
  memo.expect({9, 7});
  at({9}, &memo);
  at({8}, &memo);
  at({9, 7}, &memo);  // pictures at different times
  EXPECT_THAT(embedded, ElementsAre(ElementsAre(9, 7), ElementsAre(8), ElementsAre(9, 7)));
  at({7}, &memo);  // what was there is still there
  EXPECT_EQ(embedded.size(), 3u);
  memo.forget();
  at({7}, &memo);
  EXPECT_EQ(embedded.size(), 4u);
}

}  // namespace
}  // namespace mezzo::nn
