// One picture (or a batch of them), end to end: conditioning, noise, the sampler's loop over the
// denoiser, the VAE.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/log.h"
#include "pipeline/job.h"
#include "sampling/guidance.h"

namespace mezzo {
namespace {

constexpr std::int64_t kBatchPixels = 2 * 512 * 512;  // of a batch's pictures together
constexpr std::int64_t kBatchPictures = 8;
constexpr std::int64_t kPreviewSide = 16;  // latents; a preview costs a small share of a step

/// The prediction for the whole batch, guided: the conditional and unconditional halves run as one
/// batch.
class GuidedDenoiser {
 public:
  GuidedDenoiser(const Job& job, const Model& model, const Watch& watch, TextEmbedding text,
                 Tensor extra)
      : job_(job),
        model_(model),
        watch_(watch),
        text_(std::move(text)),
        extra_(std::move(extra)),
        skipped_layers_(skipped_layers(job.params)),
        memo_(job.params.max_drift) {}
  /// The timesteps to come.
  void expect(const std::vector<double>& timesteps) { memo_.expect(timesteps); }

  /// The guided prediction.
  sampling::Latents operator()(const sampling::Latents& x, double t) {
    const Tensor in = input(x);
    if (guides() != guided_before_) memo_.forget();
    guided_before_ = guides();
    if (!guides()) {
      unconditional_ = download_latents(predict(
          in, {.timestep = t, .text = job_.guided() ? of_prompts() : text_, .memo = &memo_}));
      return unconditional_;
    }
    // What skip-layer guidance compares with a network without layers is computed.
    auto out = download_latents(
        predict(in, {.timestep = t,
                     .text = text_,
                     .memo = skips_layers() && memo_.deep.on() ? nullptr : &memo_}));
    const auto half = out.values().size() / 2;
    const auto middle = out.values().begin() + static_cast<std::ptrdiff_t>(half);
    unconditional_ = sampling::Latents(std::vector<double>(out.values().begin(), middle));
    const sampling::Latents cond(std::vector<double>(middle, out.values().end()));
    auto guided = sampling::guide(unconditional_, cond, *job_.params.guidance);
    if (skips_layers())
      guided = sampling::guide_away(std::move(guided), cond, without_layers(in, t),
                                    job_.params.skip_layer_guidance);
    if (job_.params.guidance_rescale > 0)
      guided = sampling::rescale_guidance(guided, cond, job_.params.guidance_rescale,
                                          static_cast<std::size_t>(job_.batch()));
    return guided;
  }
  /// Of the last call.
  const sampling::Latents& unconditional() const { return unconditional_; }
  /// Gives its memory back: nothing is predicted after this.
  void release() {
    text_ = {};
    extra_ = {};
    memo_.forget();
  }
  Reuse reuse() const { return {calls_, memo_.deep.reused(), memo_.deep.drift()}; }
  /// Told before the first step and after each: steps that are done, of all.
  void at_step(std::size_t done, std::size_t total) {
    share_ = static_cast<double>(done) / static_cast<double>(total);
  }

 private:
  Tensor input(const sampling::Latents& x) const {
    const Tensor in = upload_latents(model_.backend, x, job_.latent_shape());
    return extra_ ? ops::concat(std::array{in, extra_}, -1) : in;
  }
  Tensor predict(const Tensor& x, const Denoiser::Call& call) {
    ++calls_;
    Tensor prediction = (*model_.denoiser)(x, call);
    if (watch_.prediction) watch_.prediction(x, call, prediction);
    return prediction;
  }
  /// The rows of the prompts, without those of the negative prompts.
  TextEmbedding of_prompts() const {
    const auto rows = [&](const Tensor& t) {
      return t ? t.slice(0, job_.batch(), 2 * job_.batch()) : Tensor();
    };
    return {.tokens = rows(text_.tokens), .pooled = rows(text_.pooled)};
  }
  bool guides() const {
    const auto& p = job_.params;
    return job_.guided() && share_ >= p.guidance_start && share_ < p.guidance_stop;
  }
  bool skips_layers() const {
    const auto& p = job_.params;
    return p.skip_layer_guidance > 0 && share_ > p.skip_layer_start && share_ < p.skip_layer_stop;
  }
  /// What the network predicts for the prompts without some of its layers.
  sampling::Latents without_layers(const Tensor& in, double t) const {
    return download_latents((*model_.denoiser)(
        in, {.timestep = t, .text = of_prompts(), .skipped_layers = skipped_layers_}));
  }

  const Job& job_;
  const Model& model_;
  const Watch& watch_;
  TextEmbedding text_;
  Tensor extra_;
  std::vector<std::int64_t> skipped_layers_;
  Memo memo_;                   // of the text that the last call was for
  bool guided_before_ = false;  // at the last call
  int calls_ = 0;
  double share_ = 0;  // of the steps that are done
  sampling::Latents unconditional_;
};

/// The first picture's predicted result, decoded from latents averaged down to a small size.
Image preview_of(const Job& job, const Model& model, const sampling::Latents& x0) {
  const auto h = job.latent_height, w = job.latent_width, C = job.latent_channels;
  const auto [ph, pw] = preview_size(h, w);
  const auto cell = h / ph;
  sampling::Latents small = sampling::Latents::zeros(static_cast<std::size_t>(C * ph * pw));
  for (std::int64_t c = 0; c < C; ++c)
    for (std::int64_t y = 0; y < ph * cell; ++y)
      for (std::int64_t x = 0; x < pw * cell; ++x)
        small[static_cast<std::size_t>((c * ph + y / cell) * pw + x / cell)] +=
            x0[static_cast<std::size_t>((c * h + y) * w + x)] / static_cast<double>(cell * cell);
  const Tensor out = model.backend.download(
      model.vae->decode(upload_latents(model.backend, small, {1, C, ph, pw})));
  return to_image(out.view({out.dim(1), out.dim(2), 3}));
}

/// [unconditional, conditional] rows. Clip skip is for the prompts only, as in diffusers.
TextEmbedding conditioning_of(const Job& job, Conditioning& conditioning) {
  const TextSettings settings = text_settings(job.params);
  TextSettings negative = settings;
  negative.clip_skip = 1;
  std::vector<TextRequest> texts;
  if (job.guided()) texts.assign(job.prompts.size(), {negative_prompt_of(job.params), negative});
  for (const Prompt& prompt : job.prompts) texts.push_back({prompt, settings});
  return conditioning(texts, job.last);
}

/// Noise from one Brownian path over the levels that the plan visits.
sampling::NoiseSource path_noise(const Job& job, const sampling::SamplingPlan& plan, Draws& draws) {
  double low = plan.start().sigma;
  for (const auto& point : plan.points.points)
    if (point.sigma > 0) low = std::min(low, point.sigma);
  const auto size = job.latent_channels * job.latent_height * job.latent_width;
  return draws.path(low, plan.start().sigma, static_cast<std::size_t>(size));
}

}  // namespace

Prompt prompt_of(const GenerateParams& p, const std::string& text) {
  return {.text = text, .text_2 = p.prompt_2, .text_3 = p.prompt_3};
}

Prompt negative_prompt_of(const GenerateParams& p) {
  return {.text = p.negative_prompt, .text_2 = p.negative_prompt_2, .text_3 = p.negative_prompt_3};
}

TextSettings text_settings(const GenerateParams& p) {
  return {.clip_skip = static_cast<int>(p.clip_skip), .t5_length = static_cast<int>(p.t5_length)};
}

std::pair<std::int64_t, std::int64_t> preview_size(std::int64_t h, std::int64_t w) {
  const auto cell = std::max<std::int64_t>(1, std::min(h, w) / kPreviewSide);
  return {h / cell, w / cell};
}

std::int64_t batch_pictures(const GenerateParams& p, std::int64_t pictures) {
  const auto* sampler = sampling::find_sampler(p.sampler);
  // Where the steps depend on the picture, it is alone: its result does not depend on others.
  if ((sampler && sampler->chooses_steps) || p.max_drift > 0) return 1;
  return std::clamp<std::int64_t>(kBatchPixels / (p.width * p.height), 1,
                                  std::min(kBatchPictures, pictures));
}

sampling::SamplingPlan make_plan(const Job& job, const nlohmann::json& scheduler) {
  const auto& p = job.params;
  nlohmann::json fields = scheduler;
  if (!p.prediction.empty()) fields["prediction_type"] = p.prediction;
  sampling::PlanRequest request{.sampler = p.sampler,
                                .schedule = p.schedule,
                                .spacing = p.spacing,
                                .steps = static_cast<int>(p.steps),
                                .strength = p.init ? *p.strength : 1.0};
  if (p.eta > 0) request.eta = p.eta;  // 0: as the sampler has it
  return sampling::plan(sampling::SchedulerConfig(std::move(fields)), request);
}

Drawn run(const Job& job, const Model& model, Conditioning& conditioning,
          const nlohmann::json& scheduler, Draws& draws, const Watch& watch) {
  TextEmbedding text = conditioning_of(job, conditioning);
  const auto plan = make_plan(job, scheduler);
  const auto prepare = job.params.mask ? inpaint : job.params.init ? image_to_image : text_to_image;
  Start start = prepare(job, model, plan, draws);
  model.vae->release_encoder();
  if (watch.reading && !model.denoiser->in_memory()) watch.reading();
  model.denoiser->read();
  if (watch.latents) watch.latents("init", start.x);

  GuidedDenoiser denoiser(job, model, watch, std::move(text), std::move(start.extra_channels));
  denoiser.expect(plan.timesteps());
  sampling::RunOptions options;
  options.noise = plan.follows_path ? path_noise(job, plan, draws)
                                    : [&](double, double) { return job.noise(draws); };
  options.stop = watch.stop;
  options.after_step = [&](const sampling::StepInfo& info, sampling::Latents& x) {
    denoiser.at_step(info.step + 1, info.total);
    if (start.after_step) start.after_step(info, x);
    if (watch.latents) watch.latents("step", x);
    const int step = static_cast<int>(info.step) + 1, steps = static_cast<int>(info.total);
    if (watch.preview && watch.preview_every > 0 && step % watch.preview_every == 0 && step < steps)
      watch.preview(preview_of(job, model, info.x0));
    if (watch.step) watch.step(step, steps);
  };
  if (job.guided()) options.unconditional_output = [&] { return denoiser.unconditional(); };
  Drawn drawn;
  drawn.latents = sampling::run(plan, std::ref(denoiser), std::move(start.x), options);
  drawn.reuse = denoiser.reuse();
  denoiser.release();
  if (job.last) model.denoiser->release();
  check_finite(drawn.latents.values());

  const Tensor z = upload_latents(model.backend, drawn.latents, job.latent_shape());
  for (std::int64_t b = 0; b < job.batch(); ++b) {
    const Tensor picture = model.backend.download(model.vae->decode(z.slice(0, b, b + 1)));
    drawn.decoded.push_back(picture.view({picture.dim(1), picture.dim(2), picture.dim(3)}));
  }
  return drawn;
}

}  // namespace mezzo
