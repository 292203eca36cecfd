#include "server/submission.h"

#include <fmt/format.h>

#include "mezzotint/files.h"
#include "server/http.h"

namespace mezzo::server {
namespace {

constexpr std::size_t kMaxPictures = 1024;  // of one job

Json look_at(Context& context, const PictureInput& picture, const char* field) {
  try {
    return context.questions.ask({{"what", "picture"}, {"name", field}}, picture.bytes)
        .head.at("result");
  } catch (ApiError& e) {
    if (e.status == 400) e.field = field;
    throw;
  }
}

void check_pictures(Context& context, const Submission& s, bool inpainting_model) {
  const bool has_init = !s.init.bytes.empty(), has_mask = !s.mask.bytes.empty();
  if (has_mask && !has_init)
    throw ApiError(400, "usage", "mask_image: there is no init_image to repaint", "mask_image");
  const bool mask_inside = flag_at(s.draw, "mask_from_init", false);
  if (inpainting_model && !has_mask && !mask_inside)
    throw ApiError(400, "usage",
                   "mask_image: this is an inpainting model; it needs an init_image and a "
                   "mask_image, or choose another model",
                   has_init ? "mask_image" : "init_image");
  if (!has_init) return;
  const Json init = look_at(context, s.init, "init_image");
  if (!has_mask) return;
  const Json mask = look_at(context, s.mask, "mask_image");
  if (init != mask && !flag_at(s.draw, "mask_fit", false))
    throw ApiError(400, "usage",
                   fmt::format("mask_image: {}x{} pixels, but init_image has {}x{}; make them the "
                               "same size",
                               dump(mask["width"]), dump(mask["height"]), dump(init["width"]),
                               dump(init["height"])),
                   "mask_image");
}

}  // namespace

Job make_job(Context& context, Submission s) {
  GenerateParams params = params_from_json(dump(s.params));
  validate(params);
  if (params.prompts.size() * static_cast<std::size_t>(params.count) > kMaxPictures)
    throw ApiError(
        400, "usage",
        fmt::format("count: more than {} pictures in one job; send several", kMaxPictures),
        "count");
  const Json model = context.catalogue.find(s.model, context.model_in_use());
  check_pictures(context, s, flag_at(model, "inpainting", false));

  Job job;
  job.kind = s.init.bytes.empty()                                                ? "text"
             : s.mask.bytes.empty() && !flag_at(s.draw, "mask_from_init", false) ? "image"
                                                                                 : "inpaint";
  job.request = s.params;
  job.request["model"] = model.at("name");
  if (!s.init.bytes.empty()) job.request["init_image"] = s.init.shown;
  if (!s.mask.bytes.empty()) job.request["mask_image"] = s.mask.shown;
  job.draw = std::move(s.draw);
  job.draw["model"] = model.at("path");
  job.draw["params"] = std::move(s.params);
  job.draw["preview_every"] = s.preview_every;
  job.init = std::move(s.init.bytes);
  job.mask = std::move(s.mask.bytes);
  return job;
}

}  // namespace mezzo::server
