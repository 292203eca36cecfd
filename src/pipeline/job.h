// One batch of pictures on its way through a pipeline: text-to-image, image-to-image or inpainting.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "mezzotint/engine.h"
#include "pipeline/conditioning.h"
#include "pipeline/draws.h"
#include "pipeline/model.h"
#include "sampling/sampler.h"

namespace mezzo {

/// What is drawn. `params` is resolved: every default is filled in, sizes are those of the result,
/// init and mask have them.
struct Job {
  GenerateParams params;
  std::vector<Prompt> prompts;  // one a picture
  std::int64_t latent_height = 0, latent_width = 0, latent_channels = 4;
  bool last = true;  // of the request's batches

  std::int64_t batch() const { return static_cast<std::int64_t>(prompts.size()); }
  bool guided() const { return *params.guidance > 1; }
  Shape latent_shape() const { return {batch(), latent_channels, latent_height, latent_width}; }
  /// Unit normal noise for every picture.
  sampling::Latents noise(Draws& draws) const {
    return sampling::Latents::from_floats(draws.next(latent_channels, latent_height, latent_width));
  }
};

/// What denoising begins with. Latents are flat, [batch, channels, height, width].
struct Start {
  sampling::Latents x;
  /// [B, H, W, 5] on the backend: mask and masked picture of an inpainting model.
  Tensor extra_channels = {};
  /// Replaces what is not to be repainted.
  sampling::StepHook after_step = {};
};

/// Each pipeline prepares its start; draws are taken in diffusers' order, so its seeds give its
/// pictures.
Start text_to_image(const Job& job, const Model& model, const sampling::SamplingPlan& plan,
                    Draws& draws);
Start image_to_image(const Job& job, const Model& model, const sampling::SamplingPlan& plan,
                     Draws& draws);
Start inpaint(const Job& job, const Model& model, const sampling::SamplingPlan& plan, Draws& draws);

/// What watches a run; every member may be empty.
struct Watch {
  std::function<void()> reading;  // before the denoiser is read, where it is not in memory
  std::function<void(int step, int steps)> step;  // after each step
  std::function<void(const Image& preview)> preview;
  int preview_every = 0;
  std::function<void(const char* name, const sampling::Latents&)>
      latents;  // "init", then "step" after each network call
  /// What the denoiser is given and gives.
  std::function<void(const Tensor& x, const Denoiser::Call&, const Tensor& prediction)> prediction =
      {};
  std::stop_token stop;
};

struct Drawn {
  sampling::Latents latents;    // final
  std::vector<Tensor> decoded;  // one a picture: host [H, W, 3], about [-1, 1]
  Reuse reuse = {};
};

/// The whole run but for turning the result into 8-bit pictures.
Drawn run(const Job& job, const Model& model, Conditioning& conditioning,
          const nlohmann::json& scheduler, Draws& draws, const Watch& watch);

/// The sampler and schedule that the request and the model's scheduler config make together.
sampling::SamplingPlan make_plan(const Job& job, const nlohmann::json& scheduler);

/// What the text encoders are told of a picture, of what it shall not show, and beside that.
Prompt prompt_of(const GenerateParams& resolved, const std::string& text);
Prompt negative_prompt_of(const GenerateParams& resolved);
TextSettings text_settings(const GenerateParams& resolved);

/// Height and width of the latents that a preview of h x w latents is decoded from.
std::pair<std::int64_t, std::int64_t> preview_size(std::int64_t h, std::int64_t w);

/// How many of `pictures` go through the networks together: as many as pay, one where the
/// sampler chooses its own steps or features are used again.
std::int64_t batch_pictures(const GenerateParams& resolved, std::int64_t pictures);

// Between the layouts of samplers (flat NCHW), networks (NHWC on the backend) and pictures.
Tensor upload_latents(Backend& backend, const sampling::Latents& x,
                      const Shape& nchw);  // -> [B, H, W, C]
sampling::Latents download_latents(const Tensor& nhwc);
Tensor upload_image(Backend& backend, const Image& rgb);  // -> [1, H, W, 3] in [-1, 1]
/// Throws LoadError, saying what may be wrong, where a network gave a NaN or an infinity.
void check_finite(std::span<const double> values);
void check_finite(std::span<const float> values);
Image to_image(const Tensor& decoded);  // finite; host [H, W, 3] about [-1, 1] -> RGB

}  // namespace mezzo
