#include "pipeline/memory_plan.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/byte_text.h"
#include "base/error.h"
#include "base/machine_memory.h"
#include "checkpoint/require.h"
#include "pipeline/job.h"
#include "pipeline/open_engine.h"
#include "pipeline/resolve.h"

namespace mezzo {
namespace {

/// Phases of a run on the meta backend, one after the other.
class Phases {
 public:
  Phases(const ModelBundle& bundle, const MemoryStrategy& strategy, Backend& backend)
      : bundle_(bundle), strategy_(strategy), backend_(backend) {
    backend_.set_log(&log_);
  }

  /// What happened since the last phase ended. `of`: components whose weights it reads;
  /// `beside`: bytes of the process that the backend does not know.
  template <class Of>
  void end(std::string name, const Of& of, std::uint64_t beside = 0) {
    PlanPhase phase{.name = std::move(name), .activations = backend_.activation_peak()};
    for (const auto& [component, c] : bundle_.components)
      for (const auto& t : c.weights->tensors())
        if (of(component)) phase.weights += t.bytes();
    for (const auto& r : log_.records) {
      phase.flops += r.flops;
      phase.seconds += r.seconds;
    }
    phase.peak = process_overhead(bundle_, strategy_, backend_.weight_bytes()) +
                 backend_.memory_peak() + beside;
    log_.records.clear();
    backend_.start_peak();
    list.push_back(std::move(phase));
  }

  /// What was done since then counts as memory alone.
  void discard_work() { log_.records.clear(); }

  std::vector<PlanPhase> list;

 private:
  const ModelBundle& bundle_;
  const MemoryStrategy& strategy_;
  Backend& backend_;
  OpLog log_;
};

Tensor zeros(Backend& b, const Shape& shape) { return Tensor(b, DType::kF32, shape); }

/// Rows of text embeddings for a batch.
TextEmbedding repeated(Backend& backend, const TextEmbedding& row, std::int64_t rows) {
  const auto repeat = [&](const Tensor& t) {
    if (!t) return Tensor();
    Shape shape = t.shape();
    shape.set(0, rows);
    return zeros(backend, shape);
  };
  return {.tokens = repeat(row.tokens), .pooled = repeat(row.pooled)};
}

/// A value for --max-ram that is at least `bytes`.
std::string as_setting(std::uint64_t bytes) { return fmt::format("{}M", (bytes >> 20) + 1); }

using Measures = std::vector<const MemoryMeasure*>;

MemoryStrategy with(MemoryStrategy strategy, const Measures& measures) {
  for (const MemoryMeasure* m : measures) m->apply(strategy);
  return strategy;
}

/// What the table still has for a strategy, in its order.
Measures measures_left(const PlanQuestion& q, const MemoryStrategy& strategy) {
  Measures left;
  for (const MemoryMeasure& m : memory_measures())
    if (suits(m, q.options, q.precision) && !takes(strategy, m)) left.push_back(&m);
  return left;
}

/// Finds the fastest strategy within a limit.
class Search {
 public:
  Search(const PlanQuestion& question, std::uint64_t limit)
      : q_(question),
        limit_(limit),
        preset_(preset_strategy(question.options, question.precision)) {}

  /// Measures from the top of the table until the request fits; then those that turn out not to be
  /// needed are dropped again, the most costly first. The last strategy where nothing fits.
  PlannedMemory find() {
    Measures taken;
    PlannedMemory best = planned(preset_);
    for (const MemoryMeasure* m : measures_left(q_, preset_)) {
      if (fits(best)) break;
      taken.push_back(m);
      best = planned(with(preset_, taken));
    }
    if (!fits(best) || taken.empty()) return best;
    for (std::size_t i = taken.size() - 1; i-- > 0;) {
      Measures fewer = taken;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
      PlannedMemory without = planned(with(preset_, fewer));
      if (!fits(without)) continue;
      taken = std::move(fewer);
      best = std::move(without);
    }
    return hold_more(std::move(best));
  }
  bool fits(const PlannedMemory& p) const { return limit_ == 0 || p.plan.peak <= limit_; }

 private:
  PlannedMemory planned(const MemoryStrategy& strategy) const {
    return {strategy, plan_request(q_, strategy)};
  }

  /// Fills what is left below the limit with layers of a streamed denoiser.
  PlannedMemory hold_more(PlannedMemory p) const {
    if (p.strategy.denoiser_held != 0u || preset_.denoiser_held) return p;
    constexpr int kTries = 3;
    std::uint64_t room =
        (limit_ - p.plan.peak) / 16 * 15;  // the rest: what each layer needs beside
    for (int i = 0; i < kTries; ++i, room = room / 4 * 3) {
      MemoryStrategy more = p.strategy;
      more.denoiser_held = room;
      if (auto held = planned(more); fits(held)) return held;
    }
    return p;
  }

  const PlanQuestion& q_;
  std::uint64_t limit_;
  MemoryStrategy preset_;
};

/// The largest square picture that fits under a strategy, or nothing.
std::optional<std::int64_t> largest_side(const PlanQuestion& q, const MemoryStrategy& strategy,
                                         std::uint64_t limit) {
  GenerateParams smaller = q.params;
  smaller.init.reset();
  smaller.mask.reset();
  for (std::int64_t side : {1024, 768, 640, 512, 384, 256, 192, 128, 64}) {
    smaller.width = smaller.height = side;
    if (q.params.width && side * side >= q.params.width * q.params.height) continue;
    try {
      if (plan_request({q.bundle, q.options, q.precision, smaller}, strategy).peak <= limit)
        return side;
    } catch (const UsageError&) {  // larger than the model can draw
    }
  }
  return std::nullopt;
}

[[noreturn]] void refuse(const PlanQuestion& q, const PlannedMemory& smallest,
                         std::uint64_t limit) {
  const bool by_option = q.options.max_ram && limit == q.options.max_ram;
  const auto side = largest_side(q, smallest.strategy, limit);
  const std::string remedy =
      (side ? fmt::format("{0}x{0} would fit, or ", *side) : std::string()) +
      (by_option ? fmt::format("--max-ram {}", as_setting(smallest.plan.peak))
                 : std::string("close other programs")) +
      (side ? "" : ", or choose a smaller model");
  fail<OutOfMemory>("this needs {} of memory even with all that saves some, {} {}; {}",
                    byte_text(smallest.plan.peak),
                    by_option ? "the limit (--max-ram) is" : "the machine has",
                    byte_text(limit) + (by_option ? "" : " free"), remedy);
}

/// Bytes of finished pictures: float32 as they are decoded, and 8 bits.
std::uint64_t picture_bytes(const GenerateParams& p, std::int64_t pictures) {
  return static_cast<std::uint64_t>(pictures * p.width * p.height * 3 * 5);
}

}  // namespace

Plan plan_request(const PlanQuestion& question, const MemoryStrategy& strategy) {
  const auto& [stored, options, precision, request, previews] = question;
  const ModelBundle bundle = bundle_under(strategy, stored);
  const auto meta = make_meta_backend({.threads = options.threads, .winograd = strategy.winograd});
  Phases phases(bundle, strategy, *meta);
  const Model model(bundle, Loading{*meta, precision, strategy});
  phases.end("loading", [](const auto&) { return true; });
  phases.list.back().weights = meta->weight_bytes();

  auto defaults = defaults_of(model, bundle);
  defaults.inpainting = false;  // the size of a picture is all that counts here
  GenerateParams params = request;
  if (params.prompts.empty()) params.prompts = {""};
  const GenerateParams p = resolve(params, defaults);
  const auto factor = model.vae->factor();
  const auto h = p.height / factor, w = p.width / factor, C = model.vae->latent_channels();
  const auto pictures = static_cast<std::int64_t>(p.prompts.size()) * p.count;
  const auto batch = batch_pictures(p, pictures);
  const bool guided = *p.guidance > 1;
  const auto rows = guided ? 2 * batch : batch;
  const auto rounds = (pictures + batch - 1) / batch;

  const auto prompts = static_cast<std::int64_t>(p.prompts.size());
  const std::vector<TextRequest> texts(
      static_cast<std::size_t>(std::min(batch, prompts) + (guided ? 1 : 0)),
      {.settings = text_settings(p)});
  TextEmbedding text = model.text->encode(texts, rounds == 1).front();
  phases.end("text encoder", is_text_encoder);

  const auto of_vae = [](std::string_view name) { return name == "vae"; };
  if (p.init) {
    model.vae->encode(zeros(*meta, {1, p.height, p.width, 3}),
                      [&](const Shape& s) { return zeros(*meta, s); });
    model.vae->release_encoder();
    phases.end("vae encoder", of_vae, picture_bytes(p, 1));
  }
  model.denoiser->read();
  const TextEmbedding row = text;
  text = repeated(*meta, row, rows);
  Tensor x = zeros(*meta, {batch, h, w, model.description.in_channels});
  {
    // All is computed in each, and in the second what is kept of the first is there, too.
    Memo memo(p.max_drift);
    std::vector<double> times(static_cast<std::size_t>(p.steps));
    std::iota(times.begin(), times.end(), 0.0);
    memo.expect(times);
    const auto step = [&](const TextEmbedding& of) {
      ops::nhwc_to_nchw((*model.denoiser)(x, {.timestep = 0, .text = of, .memo = &memo}));
    };
    if (guided && (p.guidance_start > 0 || p.guidance_stop < 1)) {
      const TextEmbedding prompts_alone = repeated(*meta, row, batch);
      step(prompts_alone);
      step(prompts_alone);
      memo.forget();
    }
    step(text);
    phases.discard_work();
    step(text);
    if (previews) {
      const auto [ph, pw] = preview_size(h, w);
      model.vae->decode(zeros(*meta, {1, ph, pw, C}));
    }
  }
  x = {};
  text = {};
  if (rounds > 1 && prompts > 1) model.text->encode(texts, false);  // those of the next batch
  const auto denoiser = find_family(bundle).denoiser;
  phases.end(fmt::format("{} step", denoiser), [&](const auto& name) { return name == denoiser; });
  const double step = phases.list.back().seconds;
  if (rounds == 1) model.denoiser->release();

  model.vae->decode(zeros(*meta, {1, h, w, C}));
  phases.end("vae decoder", of_vae, picture_bytes(p, batch));

  const double steps = static_cast<double>(p.steps) * (p.init ? std::min(*p.strength, 1.0) : 1.0);
  Plan plan{.phases = std::move(phases.list), .precision = precision_name(precision)};
  plan.seconds = plan.phases[1].seconds + step * steps * static_cast<double>(rounds) +
                 plan.phases.back().seconds * static_cast<double>(pictures);
  for (const MemoryMeasure& m : memory_measures())
    if (takes(strategy, m)) plan.measures.push_back(fmt::format("{}: {}", m.name, m.what));
  for (const auto& phase : plan.phases) plan.peak = std::max(plan.peak, phase.peak);
  return plan;
}

std::uint64_t memory_limit(const EngineOptions& options) {
  const std::uint64_t machine = usable_memory();
  return options.max_ram && (!machine || options.max_ram <= machine) ? options.max_ram : machine;
}

PlannedMemory fit_memory(const PlanQuestion& question, Until until) {
  const std::uint64_t limit = memory_limit(question.options);
  Search search(question, limit);
  PlannedMemory found = search.find();
  if (search.fits(found)) return found;
  if (until == Until::kLoaded && found.plan.phases.front().peak <= limit) return found;
  refuse(question, found, limit);
}

Plan plan(const std::string& model, const EngineOptions& options, const GenerateParams& params) {
  const auto bundle = open_bundle(model, options);
  require_components(bundle);
  const PlanQuestion question{bundle, options, precision_of(options), params};
  if (options.max_ram) return fit_memory(question).plan;
  return plan_request(question, preset_strategy(options, question.precision));
}

std::vector<PlanAlternative> plan_alternatives(const std::string& model,
                                               const EngineOptions& options,
                                               const GenerateParams& params) {
  const auto bundle = open_bundle(model, options);
  require_components(bundle);
  const PlanQuestion question{bundle, options, precision_of(options), params};
  std::vector<PlanAlternative> list;
  MemoryStrategy strategy = preset_strategy(options, question.precision);
  const auto add = [&](std::string_view name, std::string_view what) {
    const Plan plan = plan_request(question, strategy);
    list.push_back({std::string(name), std::string(what), plan.peak, plan.seconds});
  };
  add(strategy == MemoryStrategy{.once = options.once} ? "as usual" : "as asked for", "");
  for (const MemoryMeasure* m : measures_left(question, strategy)) {
    m->apply(strategy);
    add(m->name, m->what);
  }
  return list;
}

}  // namespace mezzo
