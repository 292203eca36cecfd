#include "mezzotint/engine.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "image/mask.h"
#include "image/resize.h"
#include "pipeline/job.h"
#include "pipeline/measure.h"
#include "pipeline/memory_plan.h"
#include "pipeline/model_hash.h"
#include "pipeline/open_engine.h"
#include "pipeline/recipe.h"
#include "pipeline/resolve.h"
#include "pipeline/tokens.h"

namespace mezzo {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

/// The sampler that a scheduler's config stands for.
std::string sampler_name(const nlohmann::json& scheduler) {
  const auto name = std::string(sampling::SchedulerConfig(scheduler).scheduler().name);
  const auto* row = sampling::find_sampler(name);
  return row ? std::string(row->name) : name;
}

ModelInfo describe(const ModelBundle& bundle, const ModelConfigs& configs, const ModelDefaults& d,
                   const nlohmann::json& scheduler) {
  ModelInfo m;
  m.path = bundle.path.string();
  m.name = bundle.path.stem().string();
  m.form = bundle.form;
  m.family = configs.family();
  m.width = static_cast<int>(d.width);
  m.height = static_cast<int>(d.height);
  m.steps = static_cast<int>(d.steps);
  m.guidance = d.guidance;
  m.sampler = d.sampler.empty() ? sampler_name(scheduler) : d.sampler;
  m.prediction = scheduler.value("prediction_type", "epsilon");
  m.objects = drawable_objects(bundle);
  return m;
}

std::int64_t random_seed() {
  std::random_device device;
  return static_cast<std::int64_t>(device() % 0xFFFFFFFFu);
}

/// Puts the kept pixels back: softly towards the repainted ones, exactly where the blurred mask is
/// black.
Image keep_unmasked(const Image& drawn, const GenerateParams& p) {
  const Image mask = blur(threshold(*p.mask), static_cast<double>(p.mask_blur));
  const Image hard = threshold(*p.mask);
  Image out = drawn;
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
    // Blurred inwards only: a pixel outside the mask stays as it was, to the bit.
    const int a = hard.pixels[i] ? mask.pixels[i] : 0;
    for (std::size_t c = 0; c < 3; ++c)
      out.pixels[3 * i + c] = static_cast<std::uint8_t>(
          (drawn.pixels[3 * i + c] * a + p.init->pixels[3 * i + c] * (255 - a) + 127) / 255);
  }
  return out;
}

}  // namespace

struct Engine::State {
  EngineOptions options;
  ModelBundle bundle;
  Precision precision;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Model> model;
  std::unique_ptr<Conditioning> conditioning;
  nlohmann::json scheduler;
  ModelDefaults defaults;
  ModelInfo info;
  std::jthread hashing;  // last: ends before what it uses
  std::string hash;

  GenerateParams resolved(const GenerateParams& p) const { return mezzo::resolve(p, defaults); }
  Job job(const GenerateParams& p, std::vector<std::string> prompts) const {
    return {.params = p,
            .prompts = std::move(prompts),
            .latent_height = p.height / defaults.factor,
            .latent_width = p.width / defaults.factor,
            .latent_channels = model->vae->latent_channels()};
  }
  void finish_hash() {
    if (hashing.joinable()) hashing.join();
    info.hash = hash;
  }
};

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Engine Engine::open(const std::string& path, const EngineOptions& options, const RunOptions& run) {
  auto s = std::make_unique<State>();
  s->options = options;
  s->precision = precision_of(options);
  s->bundle = open_model(path, open_options(options));
  if (options.max_ram) check_memory(s->bundle, options, s->precision, {});
  s->backend = make_cpu_backend({.threads = options.threads});
  s->backend->set_stop(run.stop);
  s->model = std::make_unique<Model>(
      s->bundle, *s->backend, s->precision, [&](const char*, int index, int count) {
        if (run.stop.stop_requested()) fail<Cancelled>("cancelled while the model was loading");
        if (run.progress) run.progress({.phase = Phase::kLoad, .step = index, .steps = count});
      });
  s->backend->trim();
  s->conditioning = std::make_unique<Conditioning>(*s->model);
  s->scheduler = scheduler_config(s->bundle, s->model->configs.unet);
  const auto factor = s->model->vae->factor();
  s->defaults =
      ModelDefaults::from(s->bundle.defaults, s->model->configs.unet.sample_size * factor, path);
  s->defaults.factor = factor;
  s->defaults.inpainting = s->model->is_inpainting();
  s->info = describe(s->bundle, s->model->configs, s->defaults, s->scheduler);
  s->hashing = std::jthread([state = s.get()](std::stop_token stop) {
    state->hash = model_hash(state->bundle.path, stop);
  });
  return Engine(std::move(s));
}

const ModelInfo& Engine::info() const { return state_->info; }

GenerateParams Engine::resolve(const GenerateParams& params) const {
  return state_->resolved(params);
}

TokenReport Engine::tokens(const std::string& prompt) const {
  return token_report(state_->model->tokenizer, prompt,
                      static_cast<int>(state_->model->configs.text.max_position_embeddings));
}

std::string Engine::bench(const BenchOptions& options, const RunOptions& run) {
  state_->backend->set_stop(run.stop);
  const auto size = [&](int given, std::int64_t own) { return given ? given : own; };
  return measure(*state_->model, state_->precision,
                 {.width = size(options.width, state_->defaults.width),
                  .height = size(options.height, state_->defaults.height),
                  .options = options});
}

std::vector<Picture> Engine::generate(const GenerateParams& params, const RunOptions& run) {
  std::vector<Picture> pictures;
  generate(params, run, [&](Picture p) { pictures.push_back(std::move(p)); });
  return pictures;
}

void Engine::generate(const GenerateParams& params, const RunOptions& options,
                      const std::function<void(Picture)>& done) {
  State& s = *state_;
  GenerateParams p = s.resolved(params);
  if (p.seed < 0) p.seed = random_seed();
  if (s.options.max_ram) check_memory(s.bundle, s.options, s.precision, p);
  s.backend->set_stop(options.stop);

  std::vector<std::string> prompts;
  std::vector<std::int64_t> seeds;
  for (const auto& prompt : p.prompts)
    for (std::int64_t i = 0; i < p.count; ++i) {
      prompts.push_back(prompt);
      seeds.push_back(p.seed + i);
    }
  const std::size_t total = prompts.size();
  const auto group =
      static_cast<std::size_t>(batch_pictures(p.width, p.height, static_cast<std::int64_t>(total)));

  for (std::size_t at = 0; at < total; at += group) {
    const std::size_t n = std::min(group, total - at);
    const auto begin = Clock::now();
    Progress now{.phase = Phase::kEncode,
                 .picture = static_cast<int>(at),
                 .pictures = static_cast<int>(total)};
    auto tell = [&] {
      if (options.progress) options.progress(now);
    };
    tell();

    const auto offset = static_cast<std::ptrdiff_t>(at);
    const Job job = s.job(
        p, {prompts.begin() + offset, prompts.begin() + offset + static_cast<std::ptrdiff_t>(n)});
    const auto draws = draws_per_picture(p.rng, std::span(seeds).subspan(at, n));
    auto stepping = Clock::now();
    Watch watch;
    watch.stop = options.stop;
    watch.preview_every = options.preview_every;
    watch.preview = [&](const Image& preview) {
      now.preview = &preview;
      tell();
      now.preview = nullptr;
    };
    watch.latents = [&](const char* name, const sampling::Latents&) {
      if (std::string_view(name) == "init") stepping = Clock::now();
    };
    watch.step = [&](int step, int steps) {
      now.phase = step == steps ? Phase::kDecode : Phase::kDenoise;
      now.step = step;
      now.steps = steps;
      now.seconds_per_step = since(stepping) / step;
      const auto later = static_cast<double>((total - at - n + group - 1) / group);
      now.seconds_left = now.seconds_per_step * (steps - step + later * steps);
      tell();
    };
    const Drawn drawn = run(job, *s.model, *s.conditioning, s.scheduler, *draws, watch);
    s.finish_hash();
    const double seconds = since(begin) / static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i) {
      Image image = to_image(drawn.decoded[i]);
      if (p.mask && p.keep_unmasked) image = keep_unmasked(image, p);
      const PictureRecipe recipe{p, prompts[at + i], seeds[at + i], s.info};
      done({.image = std::move(image),
            .prompt = prompts[at + i],
            .seed = seeds[at + i],
            .infotext = recipe_infotext(recipe),
            .request = recipe_request(recipe),
            .seconds = seconds});
    }
  }
  s.backend->trim();
}

}  // namespace mezzo
