#include "mezzotint/engine.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <random>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/machine_memory.h"
#include "image/mask.h"
#include "pipeline/inpaint_area.h"
#include "pipeline/job.h"
#include "pipeline/measure.h"
#include "pipeline/memory_plan.h"
#include "pipeline/model_hash.h"
#include "pipeline/open_engine.h"
#include "pipeline/recipe.h"
#include "pipeline/resolve.h"

namespace mezzo {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

ModelInfo describe(const ModelBundle& bundle, const ModelDescription& description,
                   const ModelDefaults& d, const nlohmann::json& scheduler) {
  ModelInfo m;
  m.path = bundle.path.string();
  m.name = model_name(bundle.path);
  m.form = bundle.form;
  m.family = description.family;
  m.width = static_cast<int>(d.width);
  m.height = static_cast<int>(d.height);
  m.steps = static_cast<int>(d.steps);
  m.guidance = d.guidance;
  m.sampler = d.sampler.empty() ? sampler_name(scheduler) : d.sampler;
  m.prediction = sampling::SchedulerConfig(scheduler).text("prediction_type", "epsilon");
  m.objects = drawable_objects(bundle);
  return m;
}

std::int64_t random_seed() {
  std::random_device device;
  return static_cast<std::int64_t>(device() % 0xFFFFFFFFu);
}

/// Some pictures of a request, which go through the networks together.
struct Batch {
  const GenerateParams& params;            // resolved
  const std::optional<InpaintArea>& area;  // what the pictures are a part of
  std::size_t begin, count;                // among all pictures of the request
  std::size_t total, usual;                // of the request, and of a full batch

  std::string prompt(std::size_t i) const {
    return params.prompts[(begin + i) / static_cast<std::size_t>(params.count)];
  }
  std::int64_t seed(std::size_t i) const {
    return params.seed + static_cast<std::int64_t>(begin + i) % params.count;
  }
};

/// Tells the caller where a batch is.
class Reporter {
 public:
  Reporter(const Batch& batch, const RunOptions& options)
      : options_(options),
        batches_left_((batch.total - batch.begin - batch.count + batch.usual - 1) / batch.usual),
        now_{.phase = Phase::kEncode,
             .picture = static_cast<int>(batch.begin),
             .pictures = static_cast<int>(batch.total)} {
    tell();
  }

  Watch watch() {
    return {.reading =
                [this] {
                  now_.phase = Phase::kLoad;
                  tell();
                },
            .step = [this](int step, int steps) { after_step(step, steps); },
            .preview =
                [this](const Image& preview) {
                  now_.preview = &preview;
                  tell();
                  now_.preview = nullptr;
                },
            .preview_every = options_.preview_every,
            .latents =
                [this](const char* name, const sampling::Latents&) {
                  if (std::string_view(name) == "init") stepping_ = Clock::now();
                },
            .stop = options_.stop};
  }

 private:
  void tell() {
    if (options_.progress) options_.progress(now_);
  }
  void after_step(int step, int steps) {
    now_.phase = step == steps ? Phase::kDecode : Phase::kDenoise;
    now_.step = step;
    now_.steps = steps;
    now_.seconds_per_step = since(stepping_) / step;
    const auto left = steps - step + static_cast<double>(batches_left_) * steps;
    now_.seconds_left = now_.seconds_per_step * left;
    tell();
  }

  const RunOptions& options_;
  std::size_t batches_left_;
  Progress now_;
  Clock::time_point stepping_ = Clock::now();
};

}  // namespace

struct Engine::State {
  EngineOptions options;
  ModelBundle bundle;
  Precision precision;
  MemoryStrategy strategy;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Model> model;  // null: not loaded yet
  std::unique_ptr<Conditioning> conditioning;
  nlohmann::json scheduler;
  ModelDefaults defaults;
  ModelInfo info;
  std::mutex running;   // one run at a time
  double opened_s = 0;  // how long opening took
  std::string hash;
  std::jthread hashing;  // last: ends before what it uses

  /// Builds the networks as a plan has them, in place of what there is.
  void load(const PlannedMemory& planned, const RunOptions& run);
  /// Sees to it that a request fits: keeps the model as it is, or loads it in another way. Throws
  /// OutOfMemory.
  void make_fit(const GenerateParams& p, const RunOptions& run);

  Job job(const Batch& batch) const {
    const auto& p = batch.params;
    Job job{.params = p,
            .prompts = {},
            .latent_height = p.height / model->vae->factor(),
            .latent_width = p.width / model->vae->factor(),
            .latent_channels = model->vae->latent_channels(),
            .last = batch.begin + batch.count == batch.total};
    for (std::size_t i = 0; i < batch.count; ++i)
      job.prompts.push_back(prompt_of(p, batch.prompt(i)));
    return job;
  }
  /// Recipes name the model by its hash; a large file takes seconds. Without it when stopped.
  void finish_hash(const std::stop_token& stop) {
    const std::stop_callback give_up(stop, [this] { hashing.request_stop(); });
    if (hashing.joinable()) hashing.join();
    info.hash = hash;
  }
  void draw(const Batch& batch, const RunOptions& options,
            const std::function<void(Picture)>& done);
};

void Engine::State::load(const PlannedMemory& planned, const RunOptions& run) {
  conditioning.reset();
  model.reset();
  backend.reset();
  strategy = planned.strategy;
  if (!options.max_ram && strategy != preset_strategy(options, precision))
    log_warning(
        "the machine has too little memory free to hold everything: this run takes longer; close "
        "other programs, or see mezzo plan");
  const ModelBundle typed = bundle_under(strategy, bundle);
  const auto program = process_overhead(
      typed, strategy, std::ranges::max(planned.plan.phases, {}, &PlanPhase::weights).weights);
  backend = make_cpu_backend(
      {.threads = options.threads,
       .max_bytes =
           options.max_ram ? std::max<std::uint64_t>(options.max_ram, program + 1) - program : 0,
       .winograd = strategy.winograd});
  backend->set_stop(run.stop);
  const Loading loading{*backend, precision, strategy};
  model = std::make_unique<Model>(typed, loading, [&](const char*, int index, int count) {
    if (run.stop.stop_requested()) fail<Cancelled>("cancelled while the model was loading");
    if (run.progress) run.progress({.phase = Phase::kLoad, .step = index, .steps = count});
  });
  backend->trim();
  std::optional<PromptCache> prompts;
  if (!options.prompt_cache.empty())
    prompts.emplace(options.prompt_cache, typed, loading.of_text_encoders());
  conditioning = std::make_unique<Conditioning>(*model, std::move(prompts));
}

void Engine::State::make_fit(const GenerateParams& p, const RunOptions& run) {
  const PlanQuestion question{bundle, options, precision, p, run.preview_every > 0};
  if (model) {
    const auto limit = memory_limit(options);
    if (limit == 0 || plan_request(question, strategy).peak <= limit) return;
  }
  const PlannedMemory planned = fit_memory(question);
  if (!model || planned.strategy != strategy) load(planned, run);
}

void Engine::State::draw(const Batch& batch, const RunOptions& run_options,
                         const std::function<void(Picture)>& done) {
  const auto begin = Clock::now();
  const GenerateParams& p = batch.params;
  std::vector<std::int64_t> seeds;
  for (std::size_t i = 0; i < batch.count; ++i) seeds.push_back(batch.seed(i));
  const auto draws = draws_per_picture(p.rng, seeds);
  Reporter reporter(batch, run_options);
  const Drawn drawn = run(job(batch), *model, *conditioning, scheduler, *draws, reporter.watch());
  finish_hash(run_options.stop);
  const double seconds = since(begin) / static_cast<double>(batch.count);
  Image share;  // of the drawn, where what the mask leaves out is kept
  if (p.mask && p.keep_unmasked)
    share = feather(batch.area ? batch.area->mask : threshold(*p.mask),
                    static_cast<double>(p.mask_blur));
  for (std::size_t i = 0; i < batch.count; ++i) {
    Image image = to_image(drawn.decoded[i]);
    if (batch.area) image = put_back(*batch.area, image);
    if (!share.empty())
      image = keep_unmasked(image, batch.area ? batch.area->whole : *p.init, share);
    const PictureRecipe recipe{p, batch.prompt(i), seeds[i], info, drawn.reuse};
    done({.image = std::move(image),
          .prompt = recipe.prompt,
          .seed = recipe.seed,
          .infotext = recipe_infotext(recipe),
          .request = recipe_request(recipe),
          .seconds = seconds,
          .reuse = drawn.reuse});
  }
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Engine Engine::open(const std::string& path, const EngineOptions& options, const RunOptions& run) {
  const auto begin = Clock::now();
  auto s = std::make_unique<State>();
  s->options = options;
  s->precision = precision_of(options);
  if (options.threads < 0)
    fail<UsageError>("threads: {} is not usable; give 0 (one a core) or more", options.threads);
  if (options.max_ram || options.memory == "low-ram") keep_heap_small();
  s->bundle = open_bundle(path, options);
  // Counts first: everything that is missing is told, and what does not fit refused, before the
  // first tensor is read.
  const GenerateParams usual;
  const PlannedMemory planned =
      fit_memory({s->bundle, s->options, s->precision, usual}, Until::kLoaded);
  const auto meta = make_meta_backend();
  const Model described(s->bundle, *meta, s->precision);
  // Under a limit how the model is loaded depends on the request.
  if (!options.max_ram) s->load(planned, run);
  s->scheduler = scheduler_config(s->bundle);
  s->defaults = defaults_of(described, s->bundle);
  s->info = describe(s->bundle, described.description, s->defaults, s->scheduler);
  s->hashing = std::jthread([state = s.get()](std::stop_token stop) {
    state->hash = model_hash(state->bundle.path, stop);
  });
  s->opened_s = since(begin);
  return Engine(std::move(s));
}

const ModelInfo& Engine::info() const { return state_->info; }

GenerateParams Engine::resolve(const GenerateParams& params) const {
  return mezzo::resolve(params, state_->defaults);
}

TokenReport Engine::tokens(const std::string& prompt) const {
  return find_family(state_->bundle).tokens(state_->bundle, prompt);
}

std::string Engine::bench(const BenchOptions& options, const RunOptions& run) {
  GenerateParams picture{.prompts = {"a red apple"},
                         .steps = options.steps,
                         .width = options.width ? options.width : state_->defaults.width,
                         .height = options.height ? options.height : state_->defaults.height,
                         .seed = 1};
  nlohmann::json out;
  {
    const std::scoped_lock one_run(state_->running);
    const auto begin = Clock::now();
    state_->make_fit(picture, run);
    const double loaded_s = since(begin);
    state_->backend->set_stop(run.stop);
    out = measure(*state_->model, state_->precision,
                  {.width = picture.width,
                   .height = picture.height,
                   .load_s = state_->opened_s + loaded_s,
                   .options = options});
  }
  out["denoiser"] = find_family(state_->bundle).denoiser_name;
  if (options.whole) {
    const auto begin = Clock::now();
    generate(picture, run);
    out["total_s"] = since(begin);
    out["total"] = "measured";
  }
  return out.dump();
}

std::vector<Picture> Engine::generate(const GenerateParams& params, const RunOptions& run) {
  std::vector<Picture> pictures;
  generate(params, run, [&](Picture p) { pictures.push_back(std::move(p)); });
  return pictures;
}

void Engine::generate(const GenerateParams& params, const RunOptions& options,
                      const std::function<void(Picture)>& done) {
  State& s = *state_;
  const std::scoped_lock one_run(s.running);
  GenerateParams part = params;
  const auto area = cut_area(part, s.defaults);
  GenerateParams p = mezzo::resolve(part, s.defaults);
  if (!area) warn_about_size(params, p);
  warn_about_reach(p, s.defaults);
  if (p.seed < 0) p.seed = random_seed();
  s.make_fit(p, options);
  warn_about_unused(params, unused_fields(*s.model, s.bundle));
  s.backend->set_stop(options.stop);
  s.conditioning->begin();
  s.model->denoiser->release();  // of a request that was cancelled
  const std::size_t total = p.prompts.size() * static_cast<std::size_t>(p.count);
  const auto usual = static_cast<std::size_t>(batch_pictures(p, static_cast<std::int64_t>(total)));
  for (std::size_t at = 0; at < total; at += usual)
    s.draw({.params = p,
            .area = area,
            .begin = at,
            .count = std::min(usual, total - at),
            .total = total,
            .usual = usual},
           options, done);
  s.backend->trim();
}

}  // namespace mezzo
