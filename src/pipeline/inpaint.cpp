// Inpainting, in both kinds that diffusers has: models with 9 input channels [latents 4, mask 1,
// masked picture 4] (Rombach et al. 2022), and ordinary models, where what is kept is put back
// after every step (Lugmayr et al. 2022).
#include <algorithm>
#include <array>

#include "image/fill.h"
#include "image/mask.h"
#include "pipeline/encode_image.h"

namespace mezzo {
namespace {

/// 1 where a latent is repainted: [height * width].
std::vector<double> latent_mask(const Job& job) {
  const Image small =
      mask_to_latent(threshold(*job.params.mask), static_cast<int>(job.latent_width),
                     static_cast<int>(job.latent_height));
  std::vector<double> m(small.pixels.size());
  std::ranges::transform(small.pixels, m.begin(), [](std::uint8_t v) { return v ? 1.0 : 0.0; });
  return m;
}

/// The picture with everything that will be repainted set to mid-grey.
Tensor masked_picture(const Job& job, Backend& backend) {
  const Image mask = threshold(*job.params.mask);
  const Image& init = *job.params.init;
  Tensor values(host(), DType::kF32, {1, init.height, init.width, 3});
  for (std::size_t i = 0; i < mask.pixels.size(); ++i)
    for (std::size_t c = 0; c < 3; ++c)
      values.data<float>()[3 * i + c] =
          mask.pixels[i] ? 0.0f : static_cast<float>(init.pixels[3 * i + c]) / 127.5f - 1.0f;
  return backend.upload(values);
}

/// What the repainted part of the picture begins as, where that is not left to the latents.
Image beginning(const GenerateParams& p) {
  return p.masked_content == "fill" ? fill_from_surroundings(*p.init, threshold(*p.mask)) : *p.init;
}

/// The encoded picture with noise or nothing in place of what is repainted, where that was asked
/// for.
sampling::Latents without_content(const sampling::Latents& image, const Job& job,
                                  const std::vector<double>& mask, Draws& draws) {
  const std::string& content = job.params.masked_content;
  if (content != "noise" && content != "empty") return image;
  const auto instead =
      content == "noise" ? job.noise(draws) : sampling::Latents::zeros(image.size());
  sampling::Latents out = image;
  for (std::size_t i = 0; i < out.size(); ++i)
    if (mask[i % mask.size()] != 0.0) out[i] = instead[i];
  return out;
}

/// mask [B, H, W, 1] and masked picture [B, H, W, 4] beside each other.
Tensor extra_channels(const Job& job, const Model& model, const std::vector<double>& mask,
                      const Tensor& masked, const sampling::Latents& noise) {
  const Tensor draws = upload_latents(model.backend, noise, job.latent_shape());
  const Shape plane{1, 1, job.latent_height, job.latent_width};
  const Tensor m = upload_latents(model.backend, sampling::Latents(mask), plane);
  std::vector<Tensor> rows;
  for (std::int64_t b = 0; b < job.batch(); ++b) {
    const Tensor z =
        model.vae->encode(masked, [&](const Shape&) { return draws.slice(0, b, b + 1); });
    rows.push_back(ops::concat(std::array{m, z}, -1));
  }
  return ops::concat(rows, 0);
}

}  // namespace

Start inpaint(const Job& job, const Model& model, const sampling::SamplingPlan& plan,
              Draws& draws) {
  const bool from_noise = *job.params.strength >= 1;
  const bool blends = !model.is_inpainting();

  sampling::Latents image;
  if (blends || !from_noise) image = encode_image(job, model, beginning(job.params), draws);
  const auto noise = job.noise(draws);
  // Of the masked picture; drawn for ordinary models too, so that seeds agree with diffusers.
  const auto posterior = job.noise(draws);
  const auto mask = latent_mask(job);
  Start start{.x = from_noise ? sampling::from_noise(plan, noise)
                              : sampling::add_noise(without_content(image, job, mask, draws), noise,
                                                    plan.start())};
  if (!blends) {
    start.extra_channels =
        extra_channels(job, model, mask, masked_picture(job, model.backend), posterior);
    return start;
  }
  start.after_step = [=](const sampling::StepInfo& info, sampling::Latents& x) {
    const bool last = info.step + 1 == info.total;
    const auto kept = last ? image : sampling::add_noise(image, noise, info.next);
    for (std::size_t i = 0; i < x.size(); ++i)
      if (mask[i % mask.size()] == 0.0) x[i] = kept[i];
  };
  return start;
}

}  // namespace mezzo
