#include "pipeline/memory_plan.h"

#include <algorithm>
#include <array>
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

using namespace std::string_view_literals;

/// Work recorded since the log was last looked at.
PlanPhase phase_of(std::string name, const Backend& backend, OpLog& log, std::uint64_t weights) {
  PlanPhase phase{
      .name = std::move(name), .weights = weights, .activations = backend.activation_peak()};
  for (const auto& r : log.records) {
    phase.flops += r.flops;
    phase.seconds += r.seconds;
  }
  log.records.clear();
  phase.peak =
      process_overhead(backend.weight_bytes()) + backend.weight_bytes() + phase.activations;
  return phase;
}

bool is_text_encoder(std::string_view component) { return component.starts_with("text_encoder"); }

/// Embedding tables stay as the file has them; no backend counts them.
bool is_table(std::string_view tensor) {
  constexpr std::array kTables = {"_embedding.weight"sv, "shared.weight"sv,
                                  "embed_tokens.weight"sv};
  return std::ranges::any_of(kTables, [&](auto table) { return tensor.ends_with(table); });
}

std::uint64_t table_bytes(const ModelBundle& bundle) {
  std::uint64_t n = 0;
  for (const auto& [name, c] : bundle.components)
    for (const auto& t : c.weights->tensors())
      if (is_text_encoder(name) && is_table(t.name)) n += t.bytes();
  return n;
}

/// While a tensor is packed, its values are also in memory as they are in the file. A table of
/// positions is never read as a whole.
std::uint64_t largest_tensor(const ModelBundle& bundle) {
  constexpr auto kLeftInFile = "pos_embed.pos_embed"sv;
  std::uint64_t most = 0;
  for (const auto& [name, c] : bundle.components)
    for (const auto& t : c.weights->tensors())
      if (t.name != kLeftInFile) most = std::max<std::uint64_t>(most, t.bytes());
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
  auto defaults = defaults_of(model, bundle);
  defaults.inpainting = false;  // the size of a picture is all that counts here
  GenerateParams params = request;
  if (params.prompts.empty()) params.prompts = {""};
  const GenerateParams p = resolve(params, defaults);
  const auto h = p.height / factor, w = p.width / factor, C = model.vae->latent_channels();
  const auto pictures = static_cast<std::int64_t>(p.prompts.size()) * p.count;
  const auto batch = batch_pictures(p, pictures);
  const auto rows = *p.guidance > 1 ? 2 * batch : batch;
  const auto rounds = (pictures + batch - 1) / batch;

  Plan plan{.phases = {}, .peak = 0, .seconds = 0, .precision = precision_name(precision)};
  const auto weights_of = [&](auto&& counts) {
    std::uint64_t n = 0;
    for (const auto& [name, c] : bundle.components)
      for (const auto& t : c.weights->tensors())
        if (counts(name)) n += t.bytes();
    return n;
  };
  const auto named = [](std::string_view name) {
    return [name](std::string_view other) { return name == other; };
  };
  plan.phases.push_back({.name = "loading",
                         .weights = meta->weight_bytes(),
                         .peak = process_overhead(meta->weight_bytes()) + meta->weight_bytes() +
                                 largest_tensor(bundle)});

  TextEmbedding text = model.text->encode({}, text_settings(p));
  plan.phases.push_back(phase_of("text encoder", *meta, log, weights_of(is_text_encoder)));
  plan.phases.back().seconds *= 2;
  plan.phases.back().flops *= 2;

  if (p.init) {
    model.vae->encode(zeros(*meta, {1, p.height, p.width, 3}),
                      [&](const Shape& s) { return zeros(*meta, s); });
    plan.phases.push_back(phase_of("vae encoder", *meta, log, weights_of(named("vae"))));
  }
  {
    const auto for_all = [&](Tensor& row) {
      if (!row) return;
      Shape shape = row.shape();
      shape.set(0, rows);
      row = zeros(*meta, shape);
    };
    for_all(text.tokens);
    for_all(text.pooled);
    Tensor x = zeros(*meta, {batch, h, w, model.description.in_channels});
    ops::nhwc_to_nchw((*model.denoiser)(x, {.timestep = 0, .text = text}));
    text = {};
  }
  const auto denoiser = find_family(bundle).denoiser;
  plan.phases.push_back(
      phase_of(fmt::format("{} step", denoiser), *meta, log, weights_of(named(denoiser))));
  const double step = plan.phases.back().seconds;

  model.vae->decode(zeros(*meta, {1, h, w, C}));
  plan.phases.push_back(phase_of("vae decoder", *meta, log, weights_of(named("vae"))));

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
