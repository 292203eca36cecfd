#include "backend/cpu/probe.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace mezzo {
namespace {

constexpr int kRuns = 6;  // the first one also prepares

/// A convolution on a square picture.
struct Layer {
  std::int64_t channels, side;
  int kernel;
};
// Each is close to the peak on some processors and less so on others.
constexpr std::array kLayers = {Layer{320, 64, 3}, Layer{640, 32, 3}, Layer{640, 64, 1}};

double best_gflops(const Layer& layer, Backend& backend, Precision precision) {
  using Clock = std::chrono::steady_clock;
  const int pad = layer.kernel / 2;
  const Conv2dConfig config = {.in = layer.channels,
                               .out = layer.channels,
                               .kernel = layer.kernel,
                               .pad_top = pad,
                               .pad_left = pad,
                               .pad_bottom = pad,
                               .pad_right = pad};
  Tensor weight(host(), DType::kF32, {layer.channels, layer.channels, layer.kernel, layer.kernel});
  std::fill_n(weight.data<float>(), weight.numel(), 0.01f);
  const PackedPtr packed = backend.pack_conv2d(weight, {}, config, precision);
  Tensor x(backend, DType::kF32, {1, layer.side, layer.side, layer.channels}),
      out(backend, DType::kF32, x.shape());
  std::fill_n(x.data<float>(), x.numel(), 0.5f);
  double best = 1e30;
  for (int i = 0; i < kRuns; ++i) {
    const auto start = Clock::now();
    backend.conv2d(x, *packed, {}, out);
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return 2e-9 * static_cast<double>(out.numel() * layer.channels * layer.kernel * layer.kernel) /
         best;
}

}  // namespace

double measure_peak_gflops(Precision precision, int threads) {
  const auto backend = make_cpu_backend({.threads = threads, .winograd = false});
  double best = 0;
  for (const Layer& layer : kLayers) best = std::max(best, best_gflops(layer, *backend, precision));
  return best;
}

}  // namespace mezzo
