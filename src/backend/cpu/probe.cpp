#include "backend/cpu/probe.h"

#include <algorithm>
#include <chrono>

namespace mezzo {
namespace {
constexpr std::int64_t kChannels = 320, kSide = 64;
constexpr int kRuns = 6;  // the first one also prepares
}  // namespace

double measure_peak_gflops(Precision precision, int threads) {
  using Clock = std::chrono::steady_clock;
  const auto backend = make_cpu_backend({.threads = threads});
  const Conv2dConfig config = {.in = kChannels, .out = kChannels};
  Tensor weight(host(), DType::kF32, {kChannels, kChannels, config.kernel, config.kernel});
  std::fill_n(weight.data<float>(), weight.numel(), 0.01f);
  const PackedPtr packed = backend->pack_conv2d(weight, {}, config, precision);
  Tensor x(*backend, DType::kF32, {1, kSide, kSide, kChannels}),
      out(*backend, DType::kF32, x.shape());
  std::fill_n(x.data<float>(), x.numel(), 0.5f);
  double best = 1e30;
  for (int i = 0; i < kRuns; ++i) {
    const auto start = Clock::now();
    backend->conv2d(x, *packed, {}, out);
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return 2e-9 * static_cast<double>(out.numel() * kChannels * config.kernel * config.kernel) / best;
}

}  // namespace mezzo
