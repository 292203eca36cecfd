#include "pipeline/memory_plan.h"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/machine_memory.h"
#include "checkpoint/require.h"
#include "pipeline/job.h"
#include "pipeline/open_engine.h"
#include "pipeline/resolve.h"

namespace mezzo {
namespace {

/// Work recorded since the log was last looked at.
PlanPhase phase_of(const char* name, const Backend& backend, OpLog& log, std::uint64_t weights) {
  PlanPhase phase{.name = name, .weights = weights, .activations = backend.activation_peak()};
  for (const auto& r : log.records) {
    phase.flops += r.flops;
    phase.seconds += r.seconds;
  }
  log.records.clear();
  phase.peak =
      process_overhead(backend.weight_bytes()) + backend.weight_bytes() + phase.activations;
  return phase;
}

/// Embedding tables stay as the file has them; no backend counts them.
std::uint64_t table_bytes(const ModelBundle& bundle) {
  std::uint64_t n = 0;
  for (const auto& t : bundle.components.at("text_encoder").weights->tensors())
    if (t.name.find("_embedding.weight") != std::string::npos) n += t.bytes();
  return n;
}

/// While a tensor is packed, its values are also in memory as they are in the file.
std::uint64_t largest_tensor(const ModelBundle& bundle) {
  std::uint64_t most = 0;
  for (const auto& [name, c] : bundle.components)
    for (const auto& t : c.weights->tensors()) most = std::max<std::uint64_t>(most, t.bytes());
  return most;
}

Tensor zeros(Backend& b, const Shape& shape) { return Tensor(b, DType::kF32, shape); }

/// Decimal, as mezzo plan tells it.
std::string in_megabytes(std::uint64_t bytes) {
  return bytes >= 1'000'000'000 ? fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9)
                                : fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

/// The first change of a request that fits into so many bytes, or nothing.
std::optional<std::string> smaller_request(const ModelBundle& bundle, const EngineOptions& options,
                                           Precision precision, const GenerateParams& params,
                                           std::uint64_t limit) {
  const auto fits = [&](const GenerateParams& what) {
    return plan_request(bundle, options, Precision::kBF16, what).peak <= limit;
  };
  if (precision == Precision::kF32 && fits(params)) return "--weights f16 would fit";
  GenerateParams smaller = params;
  smaller.init.reset();
  smaller.mask.reset();
  for (std::int64_t side : {768, 512, 384, 256, 128, 64}) {
    smaller.width = smaller.height = side;
    if ((params.width == 0 || side < params.width) && fits(smaller))
      return fmt::format("{}x{} with --weights f16 would fit", side, side);
  }
  return std::nullopt;
}

}  // namespace

Plan plan_request(const ModelBundle& bundle, const EngineOptions& options, Precision precision,
                  const GenerateParams& request) {
  const auto meta = make_meta_backend({.threads = options.threads});
  OpLog log;
  meta->set_log(&log);
  Model model(bundle, *meta, precision);
  const auto factor = model.vae->factor();
  auto defaults = ModelDefaults::from(bundle.defaults, model.configs.unet.sample_size * factor,
                                      bundle.path.string());
  defaults.factor = factor;
  GenerateParams params = request;
  if (params.prompts.empty()) params.prompts = {""};
  const GenerateParams p = resolve(params, defaults);
  const auto h = p.height / factor, w = p.width / factor, C = model.vae->latent_channels();
  const auto pictures = static_cast<std::int64_t>(p.prompts.size()) * p.count;
  const auto batch = batch_pictures(p, pictures);
  const auto rows = *p.guidance > 1 ? 2 * batch : batch;
  const auto rounds = (pictures + batch - 1) / batch;

  Plan plan{.phases = {}, .peak = 0, .seconds = 0, .precision = precision_name(precision)};
  const auto weights_of = [&](const char* name) {
    std::uint64_t n = 0;
    for (const auto& t : bundle.components.at(name).weights->tensors()) n += t.bytes();
    return n;
  };
  plan.phases.push_back({.name = "loading",
                         .weights = meta->weight_bytes(),
                         .peak = process_overhead(meta->weight_bytes()) + meta->weight_bytes() +
                                 largest_tensor(bundle)});

  const auto L = model.configs.text.max_position_embeddings;
  Tensor ids(host(), DType::kI32, {1, L});
  std::fill_n(ids.data<std::int32_t>(), L, 0);
  model.text_encoder(ids, {.skip = static_cast<int>(p.clip_skip)});
  plan.phases.push_back(phase_of("text encoder", *meta, log, weights_of("text_encoder")));
  plan.phases.back().seconds *= 2;
  plan.phases.back().flops *= 2;

  if (p.init) {
    model.vae->encode(zeros(*meta, {1, p.height, p.width, 3}),
                      [&](const Shape& s) { return zeros(*meta, s); });
    plan.phases.push_back(phase_of("vae encoder", *meta, log, weights_of("vae")));
  }
  {
    const Tensor context = zeros(*meta, {rows, L, model.configs.text.hidden_size});
    Tensor x = zeros(*meta, {rows, h, w, model.configs.unet.in_channels});
    const std::vector<double> times(static_cast<std::size_t>(rows), 0.0);
    ops::nhwc_to_nchw(model.unet(x, times, context));
  }
  plan.phases.push_back(phase_of("unet step", *meta, log, weights_of("unet")));
  const double step = plan.phases.back().seconds;

  model.vae->decode(zeros(*meta, {1, h, w, C}));
  plan.phases.push_back(phase_of("vae decoder", *meta, log, weights_of("vae")));

  const double steps = static_cast<double>(p.steps) * (p.init ? std::min(*p.strength, 1.0) : 1.0);
  plan.seconds = plan.phases[1].seconds + step * steps * static_cast<double>(rounds) +
                 plan.phases.back().seconds * static_cast<double>(pictures);
  for (auto& phase : plan.phases) phase.peak += table_bytes(bundle);
  for (const auto& phase : plan.phases) plan.peak = std::max(plan.peak, phase.peak);
  return plan;
}

Plan check_memory(const ModelBundle& bundle, const EngineOptions& options, Precision precision,
                  const GenerateParams& params, Until until) {
  Plan plan = plan_request(bundle, options, precision, params);
  const std::uint64_t needed = until == Until::kLoaded ? plan.phases.front().peak : plan.peak;
  const std::uint64_t machine = usable_memory();
  const bool by_option = options.max_ram && (!machine || options.max_ram <= machine);
  const std::uint64_t limit = by_option ? options.max_ram : machine;
  if (limit == 0 || needed <= limit) return plan;
  const auto remedy = smaller_request(bundle, options, precision, params, limit);
  if (by_option)
    fail<OutOfMemory>("this needs {} of memory, the limit (--max-ram) is {}; {}",
                      in_megabytes(needed), in_megabytes(limit),
                      remedy.value_or("raise --max-ram, or choose a smaller model"));
  fail<OutOfMemory>("this needs {} of memory, the machine has {} free; {}", in_megabytes(needed),
                    in_megabytes(limit),
                    remedy.value_or("close other programs, or choose a smaller model"));
}

Plan plan(const std::string& model, const EngineOptions& options, const GenerateParams& params) {
  const auto bundle = open_model(model, open_options(options));
  require_components(bundle);
  const auto precision = precision_of(options);
  return options.max_ram ? check_memory(bundle, options, precision, params)
                         : plan_request(bundle, options, precision, params);
}

}  // namespace mezzo
