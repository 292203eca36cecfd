// Every hot operation of the CPU backend at the sizes of Stable Diffusion, in GFLOP/s of a core
// (time is CPU time of all threads, so that other programs disturb little) and as a fraction of a
// peak probe taken just before. Run with --benchmark_filter=conv for some of them. precision: 0
// float32 weights, 1 16 bits, 2 integers of 8 bits.
#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include <benchmark/benchmark.h>

#include "backend/backend.h"

namespace mezzo {
namespace {

Backend& backend() {
  static const auto b = make_cpu_backend();
  return *b;
}

Tensor filled(const Shape& shape, float spread = 1) {
  Tensor t(backend(), DType::kF32, shape);
  for (std::int64_t i = 0; i < t.numel(); ++i)
    t.data<float>()[i] = spread * (static_cast<float>(i * 7919 % 1009) / 504.5f - 1);
  return t;
}

void report(benchmark::State& state, double flops, double peak) {
  const double done = flops * static_cast<double>(state.iterations()) * 1e-9;
  state.counters["GFLOP/s"] = benchmark::Counter(done, benchmark::Counter::kIsRate);
  state.counters["of_peak"] = benchmark::Counter(done / peak, benchmark::Counter::kIsRate);
}

Precision precision(std::int64_t argument) {
  constexpr std::array kPrecisions = {Precision::kF32, Precision::kBF16, Precision::kInt8};
  return kPrecisions.at(static_cast<std::size_t>(argument));
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// GFLOP/s of a core in the convolution of measure_peak_gflops, by CPU time.
double peak() {
  constexpr int kRuns = 4;
  const Conv2dConfig c = {.in = 320, .out = 320};
  static const auto direct_backend = make_cpu_backend({.winograd = false});
  Backend& direct = *direct_backend;
  static const PackedPtr w =
      direct.pack_conv2d(filled({c.out, c.in, 3, 3}), {}, c, Precision::kF32);
  static const Tensor x = filled({1, 64, 64, c.in});
  static Tensor out(direct, DType::kF32, x.shape());
  double best = 1e30;
  for (int i = 0; i < kRuns; ++i) {
    const double start = cpu_seconds();
    direct.conv2d(x, *w, {}, out);
    best = std::min(best, cpu_seconds() - start);
  }
  return 18e-9 * static_cast<double>(out.numel() * c.in) / best;
}

// images, side, in, out, kernel, precision
void conv(benchmark::State& state) {
  const std::int64_t n = state.range(0), side = state.range(1);
  const int kernel = static_cast<int>(state.range(4)), pad = kernel / 2;
  const Conv2dConfig c = {state.range(2), state.range(3), kernel, 1, pad, pad, pad, pad};
  const PackedPtr w = backend().pack_conv2d(filled({c.out, c.in, kernel, kernel}), filled({c.out}),
                                            c, precision(state.range(5)));
  const Tensor x = filled({n, side, side, c.in});
  Tensor out(backend(), DType::kF32, {n, side, side, c.out});
  Epilogue e;
  e.add = filled(out.shape());
  const double p = peak();
  for (auto _ : state) backend().conv2d(x, *w, e, out);
  report(state, 2.0 * static_cast<double>(out.numel() * c.in * kernel * kernel), p);
}
BENCHMARK(conv)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond)
    ->ArgNames({"n", "side", "in", "out", "k", "precision"})
    ->Args({1, 64, 320, 320, 3, 0})
    ->Args({2, 64, 320, 320, 3, 1})
    ->Args({2, 64, 320, 320, 3, 2})
    ->Args({2, 32, 640, 640, 3, 0})
    ->Args({2, 32, 640, 640, 3, 1})
    ->Args({2, 32, 640, 640, 3, 2})
    ->Args({2, 16, 1280, 1280, 3, 0})
    ->Args({2, 16, 1280, 1280, 3, 1})
    ->Args({2, 16, 1280, 1280, 3, 2})
    ->Args({2, 8, 1280, 1280, 3, 0})
    ->Args({2, 8, 1280, 1280, 3, 1})
    ->Args({2, 64, 960, 320, 1, 0})
    ->Args({2, 32, 1280, 1280, 3, 1})
    ->Args({2, 64, 640, 640, 3, 1})
    ->Args({1, 64, 512, 512, 3, 0})
    ->Args({1, 128, 512, 512, 3, 1})
    ->Args({1, 256, 512, 512, 3, 1})
    ->Args({1, 256, 256, 256, 3, 0})
    ->Args({1, 512, 128, 128, 3, 0});

// rows, in, out, precision
void linear(benchmark::State& state) {
  const std::int64_t rows = state.range(0), in = state.range(1), width = state.range(2);
  const PackedPtr w =
      backend().pack_linear(filled({width, in}), filled({width}), precision(state.range(3)));
  const Tensor x = filled({2, rows, in});
  Tensor out(backend(), DType::kF32, {2, rows, width});
  const double p = peak();
  backend().linear(x, *w, {}, out);  // touches the memory
  for (auto _ : state) backend().linear(x, *w, {}, out);
  report(state, 2.0 * static_cast<double>(out.numel() * in), p);
}
BENCHMARK(linear)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond)
    ->ArgNames({"rows", "in", "out", "precision"})
    ->Args({128, 320, 320, 0})
    ->Args({4096, 320, 320, 0})
    ->Args({4096, 320, 320, 1})
    ->Args({4096, 320, 320, 2})
    ->Args({4096, 320, 2560, 0})
    ->Args({4096, 320, 2560, 1})
    ->Args({4096, 1280, 320, 0})
    ->Args({1024, 640, 5120, 0})
    ->Args({1024, 640, 5120, 1})
    ->Args({256, 1280, 10240, 0})
    ->Args({256, 1280, 10240, 1})
    ->Args({256, 1280, 10240, 2})
    ->Args({256, 1280, 1280, 1})
    ->Args({256, 5120, 1280, 0})
    ->Args({256, 5120, 1280, 1})
    ->Args({256, 5120, 1280, 2})
    ->Args({1024, 2560, 640, 0})
    ->Args({1024, 2560, 640, 1})
    ->Args({256, 1280, 1280, 0})
    ->Args({77, 768, 3072, 0})
    ->Args({77, 768, 3072, 1});

// images, queries, keys, heads, width of a head, precision
void attention(benchmark::State& state) {
  const std::int64_t n = state.range(0), lq = state.range(1), lk = state.range(2),
                     d = state.range(4), width = state.range(3) * d;
  const Tensor q = filled({n, lq, width}, 3), k = filled({n, lk, width}, 3),
               v = filled({n, lk, width});
  Tensor out(backend(), DType::kF32, q.shape());
  const AttentionConfig c = {.heads = static_cast<int>(state.range(3)),
                             .scale = 1 / std::sqrt(static_cast<float>(d)),
                             .precision = precision(state.range(5))};
  const double p = peak();
  for (auto _ : state) backend().attention(q, k, v, c, out);
  report(state, 4.0 * static_cast<double>(q.numel() * lk), p);
}
BENCHMARK(attention)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond)
    ->ArgNames({"n", "lq", "lk", "heads", "d", "precision"})
    ->Args({2, 4096, 4096, 8, 40, 0})
    ->Args({2, 4096, 4096, 8, 40, 1})
    ->Args({2, 4096, 4096, 8, 40, 2})
    ->Args({2, 1024, 1024, 8, 80, 0})
    ->Args({2, 1024, 1024, 8, 80, 1})
    ->Args({2, 256, 256, 8, 160, 0})
    ->Args({2, 64, 64, 8, 160, 0})
    ->Args({2, 4096, 77, 8, 40, 0})
    ->Args({2, 4096, 77, 8, 40, 1})
    ->Args({1, 4096, 4096, 1, 512, 0})
    ->Args({1, 1357, 1357, 24, 64, 0})
    ->Args({1, 4429, 4429, 24, 64, 0})
    ->Args({1, 4429, 4429, 24, 64, 1})
    ->Args({1, 77, 77, 12, 64, 0});

// images, pixels, channels; counts bytes of one reading and one writing pass
void group_norm(benchmark::State& state) {
  const Tensor x = filled({state.range(0), state.range(1), state.range(2)}),
               w = filled({state.range(2)});
  Tensor out(backend(), DType::kF32, x.shape());
  const double p = peak();
  for (auto _ : state) backend().group_norm(x, w, w, {32, 1e-5f, Activation::kSilu}, out);
  report(state, 8.0 * static_cast<double>(x.numel()), p);
  state.SetBytesProcessed(state.iterations() * x.numel() * 8);
}
BENCHMARK(group_norm)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond)
    ->ArgNames({"n", "pixels", "c"})
    ->Args({2, 4096, 320})
    ->Args({2, 1024, 640})
    ->Args({2, 64, 1280})
    ->Args({1, 262144, 128});

void layer_norm(benchmark::State& state) {
  const Tensor x = filled({2, state.range(0), state.range(1)}), w = filled({state.range(1)});
  Tensor out(backend(), DType::kF32, x.shape());
  for (auto _ : state) backend().layer_norm(x, w, w, 1e-5f, out);
  state.SetBytesProcessed(state.iterations() * x.numel() * 8);
}
BENCHMARK(layer_norm)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond)
    ->Args({4096, 320})
    ->Args({256, 1280});

void geglu(benchmark::State& state) {
  const Tensor x = filled({2, state.range(0), 2 * state.range(1)});
  Tensor out(backend(), DType::kF32, {2, state.range(0), state.range(1)});
  for (auto _ : state) backend().geglu(x, out);
  state.SetBytesProcessed(state.iterations() * x.numel() * 6);
}
BENCHMARK(geglu)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond)
    ->Args({4096, 1280})
    ->Args({256, 5120});

void copy_to_channels_last(benchmark::State& state) {
  const Tensor x = filled({1, state.range(0), state.range(1), state.range(1)});
  Tensor out(backend(), DType::kF32, {1, state.range(1), state.range(1), state.range(0)});
  for (auto _ : state) backend().copy(x.permute({0, 2, 3, 1}), out);
  state.SetBytesProcessed(state.iterations() * x.numel() * 8);
}
BENCHMARK(copy_to_channels_last)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond)
    ->Args({320, 64})
    ->Args({3, 512});

}  // namespace
}  // namespace mezzo

BENCHMARK_MAIN();
