// The networks of a model as wholes, with guidance, at the model's own size: text encoders, a step
// of the denoiser, the VAE's decoder. MEZZO_BENCH_MODEL names the model (the shipped one
// otherwise), MEZZO_BENCH_SIDE the side in pixels. precision: 0 float32, 1 auto, 3 integers of 8
// bits. Time is that of the clock; beside it the work done and its rate.
#include <array>
#include <cstdlib>

#include <benchmark/benchmark.h>

#include "pipeline/job.h"
#include "pipeline/open_engine.h"

namespace mezzo {
namespace {

std::string setting(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

const ModelBundle& bundle() {
  static const ModelBundle b = open_bundle(setting("MEZZO_BENCH_MODEL", MEZZO_SHIPPED_MODEL), {});
  return b;
}

// A model on a backend of its own; one at a time is in memory.
struct Loaded {
  explicit Loaded(Precision p)
      : precision(p), backend(make_cpu_backend()), model(bundle(), *backend, p) {
    model.denoiser->read();
  }
  Precision precision;
  std::unique_ptr<Backend> backend;
  Model model;
};

const Loaded& loaded(std::int64_t precision) {
  static std::unique_ptr<Loaded> now;
  const auto wanted = static_cast<Precision>(precision);
  if (now && now->precision == wanted) return *now;
  now.reset();
  now = std::make_unique<Loaded>(wanted);
  return *now;
}

std::int64_t latent_side(const Model& model) {
  const auto own = defaults_of(model, bundle()).width;
  const auto side = std::atoll(setting("MEZZO_BENCH_SIDE", "0").c_str());
  return (side > 0 ? side : own) / model.vae->factor();
}

Tensor filled(Backend& backend, const Shape& shape) {
  const Tensor values(host(), DType::kF32, shape);
  for (std::int64_t i = 0; i < values.numel(); ++i)
    values.data<float>()[i] = static_cast<float>(i * 7919 % 1009) / 504.5f - 1;
  return backend.upload(values);
}

// Runs `f` again and again; its work is counted once.
template <class F>
void measure(benchmark::State& state, Backend& backend, const F& f) {
  OpLog log;
  backend.set_log(&log);
  f();
  backend.set_log(nullptr);
  double flops = 0;
  for (const auto& op : log.records) flops += static_cast<double>(op.flops);
  for (auto _ : state) f();
  state.counters["GFLOP"] = flops * 1e-9;
  state.counters["GFLOP/s"] = benchmark::Counter(
      flops * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

const std::array<TextRequest, 2> kTexts = {};

void text_encoders(benchmark::State& state) {
  const Loaded& l = loaded(state.range(0));
  measure(state, *l.backend, [&] { l.model.text->encode(kTexts, false); });
}

void denoiser_step(benchmark::State& state) {
  const Loaded& l = loaded(state.range(0));
  const auto side = latent_side(l.model);
  const Tensor x = filled(*l.backend, {1, side, side, l.model.description.in_channels});
  const TextEmbedding row = l.model.text->encode(kTexts, false).front();
  const auto twice = [](const Tensor& t) {
    return t ? ops::concat(std::array{t, t}, 0) : Tensor();
  };
  const TextEmbedding text{.tokens = twice(row.tokens), .pooled = twice(row.pooled)};
  Memo memo;
  measure(state, *l.backend,
          [&] { (*l.model.denoiser)(x, {.timestep = 500, .text = text, .memo = &memo}); });
}

void vae_decoder(benchmark::State& state) {
  const Loaded& l = loaded(state.range(0));
  const auto side = latent_side(l.model);
  const Tensor z = filled(*l.backend, {1, side, side, l.model.vae->latent_channels()});
  measure(state, *l.backend, [&] { l.model.vae->decode(z); });
}

void all(const char* name, void (*f)(benchmark::State&)) {
  auto* b = benchmark::RegisterBenchmark(name, f)->ArgName("precision")->UseRealTime();
  for (const auto p : {Precision::kF32, Precision::kAuto, Precision::kInt8})
    b->Arg(static_cast<std::int64_t>(p));
  b->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace mezzo

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  try {
    mezzo::all("text_encoders", mezzo::text_encoders);
    mezzo::all("denoiser_step", mezzo::denoiser_step);
    mezzo::all("vae_decoder", mezzo::vae_decoder);
    benchmark::RunSpecifiedBenchmarks();
  } catch (const mezzo::Error& e) {
    std::fprintf(stderr, "networks_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
