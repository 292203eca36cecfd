#include "pipeline/measure.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>

#include <nlohmann/json.hpp>

#include "backend/cpu/probe.h"
#include "pipeline/job.h"
#include "pipeline/open_engine.h"

namespace mezzo {
namespace {

using Clock = std::chrono::steady_clock;

template <class F>
double seconds_of(F&& f) {
  const auto begin = Clock::now();
  f();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Seconds of each of n calls, after one that is not counted.
template <class F>
std::vector<double> times(int n, F&& f, double* first = nullptr) {
  std::vector<double> out;
  for (int i = 0; i <= n; ++i) {
    const double seconds = seconds_of(f);
    if (i > 0)
      out.push_back(seconds);
    else if (first)
      *first = seconds;
  }
  return out;
}

double median(std::vector<double> v) {
  std::ranges::sort(v);
  return v.empty() ? 0 : (v[v.size() / 2] + v[(v.size() - 1) / 2]) / 2;
}

std::int64_t work_of(Backend& backend, OpLog& log, const std::function<void()>& f) {
  struct Logging {  // also ends when f throws
    Logging(Backend& b, OpLog& to) : backend(b) { backend.set_log(&to); }
    ~Logging() { backend.set_log(nullptr); }
    Backend& backend;
  };
  log.records.clear();
  {
    const Logging logging(backend, log);
    f();
  }
  std::int64_t flops = 0;
  for (const auto& r : log.records) flops += r.flops;
  return flops;
}

/// One row an operation, shape and way to compute it: calls, time, rate.
nlohmann::json layers_of(const char* network, const OpLog& log, double peak) {
  struct Row {
    std::string name;
    int calls = 0;
    std::int64_t flops = 0, bytes = 0;
    double seconds = 0, predicted = 0;
    std::string algorithm;
  };
  std::map<std::pair<std::string, std::string>, Row> rows;
  for (const auto& r : log.records) {
    auto& row = rows[{r.name + r.algorithm, r.shape}];
    row.name = r.name;
    row.algorithm = r.algorithm;
    row.predicted += r.predicted;
    ++row.calls;
    row.flops += r.flops;
    row.bytes += r.bytes;
    row.seconds += r.seconds;
  }
  nlohmann::json out = nlohmann::json::array();
  for (const auto& [key, row] : rows) {
    const double rate = row.seconds > 0 ? static_cast<double>(row.flops) / row.seconds / 1e9 : 0;
    out.push_back({{"network", network},
                   {"op", row.name},
                   {"shape", key.second},
                   {"algorithm", row.algorithm},
                   {"predicted", row.predicted},
                   {"calls", row.calls},
                   {"seconds", row.seconds},
                   {"gflops", rate},
                   {"share_of_peak", rate / peak},
                   {"bytes", row.bytes}});
  }
  std::sort(out.begin(), out.end(), [](const nlohmann::json& a, const nlohmann::json& b) {
    return a["seconds"].get<double>() > b["seconds"].get<double>();
  });
  return out;
}

}  // namespace

nlohmann::json measure(const Model& model, Precision precision, const MeasureConfig& config) {
  Backend& b = model.backend;
  const auto factor = model.vae->factor();
  const auto h = config.height / factor, w = config.width / factor;
  if (config.width % factor || config.height % factor || h < 1 || w < 1)
    fail<UsageError>("{}x{} is not a size this model can draw; multiples of {} are", config.width,
                     config.height, factor);
  const auto repeats = std::max(config.options.repeats, 1);
  const double before = measure_peak_gflops(precision);

  const auto zeros = [&](const Shape& shape) {
    Tensor host_zeros(host(), DType::kF32, shape);
    std::fill_n(host_zeros.data<float>(), host_zeros.numel(), 0.1f);
    return b.upload(host_zeros);
  };
  const std::array<TextRequest, 2> texts = {};
  const auto row = model.text->encode(texts, false).front();
  const auto twice = [](const Tensor& t) {
    return t ? ops::concat(std::array{t, t}, 0) : Tensor();
  };
  const TextEmbedding both{.tokens = twice(row.tokens), .pooled = twice(row.pooled)};
  const Tensor x = zeros({1, h, w, model.description.in_channels});
  const Tensor z = zeros({1, h, w, model.vae->latent_channels()});

  const auto text = [&] { model.text->encode(texts, false); };
  Memo memo;  // as from step to step of a picture
  const auto denoiser = [&] {
    (*model.denoiser)(x, {.timestep = 500, .text = both, .memo = &memo});
  };
  const auto vae = [&] { model.vae->decode(z); };
  double first = 0;
  // In the order of a picture, and with what it lets go.
  const double text_s = median(times(repeats, text));
  model.text->encode({}, true);  // lets go
  const double read_s = seconds_of([&] { model.denoiser->read(); });
  const double unet_s = median(times(repeats, denoiser, &first));
  OpLog log, vae_log;
  const double unet_flops = static_cast<double>(work_of(b, log, denoiser));
  const std::size_t weights = b.weight_bytes();
  memo.forget();
  model.denoiser->release();
  const double vae_s = median(times(std::max(1, repeats / 2), vae));
  const double vae_flops = static_cast<double>(work_of(b, vae_log, vae));

  const double after = measure_peak_gflops(precision), peak = std::max(before, after);

  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const double steps = config.options.steps;
  nlohmann::json out = {{"width", config.width},
                        {"height", config.height},
                        {"precision", precision_name(precision)},
                        {"steps", config.options.steps},
                        {"load_s", config.load_s + read_s},
                        {"unet_s_per_step", unet_s},
                        {"unet_first_s", first},
                        {"vae_decode_s", vae_s},
                        {"text_encode_s", text_s},
                        {"total_s", steps * unet_s + vae_s + text_s},
                        {"total", "computed"},
                        {"peak_rss_mb", usage.ru_maxrss / 1024},
                        {"weights_mb", weights >> 20},
                        {"activations_mb", b.activation_peak() >> 20},
                        {"peak_gflops", peak},
                        {"peak_gflops_before", before},
                        {"peak_gflops_after", after},
                        {"unet_gflop", unet_flops / 1e9},
                        {"unet_gflops", unet_flops / unet_s / 1e9},
                        {"unet_share_of_peak", unet_flops / unet_s / 1e9 / peak},
                        {"vae_gflop", vae_flops / 1e9},
                        {"vae_gflops", vae_flops / vae_s / 1e9},
                        {"vae_share_of_peak", vae_flops / vae_s / 1e9 / peak}};
  if (config.options.layers) {
    out["layers"] = layers_of("denoiser", log, peak);
    for (auto& layer : layers_of("vae", vae_log, peak)) out["layers"].push_back(std::move(layer));
  }
  return out;
}

}  // namespace mezzo
