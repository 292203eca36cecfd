// SDEdit (Meng et al. 2022): the picture is noised to the level where the schedule is entered, then
// denoised.
#include "pipeline/encode_image.h"

namespace mezzo {

sampling::Latents encode_image(const Job& job, const Model& model, const Image& rgb, Draws& draws) {
  const Tensor noise = upload_latents(model.backend, job.noise(draws), job.latent_shape());
  const Tensor image = upload_image(model.backend, rgb);
  std::vector<Tensor>
      rows;  // the same picture for each of the batch, with its own draw from the posterior
  for (std::int64_t b = 0; b < job.batch(); ++b)
    rows.push_back(
        model.vae->encode(image, [&](const Shape&) { return noise.slice(0, b, b + 1); }));
  return download_latents(ops::concat(rows, 0));
}

Start image_to_image(const Job& job, const Model& model, const sampling::SamplingPlan& plan,
                     Draws& draws) {
  const auto image = encode_image(job, model, *job.params.init, draws);
  return {.x = sampling::add_noise(image, job.noise(draws), plan.start())};
}

}  // namespace mezzo
