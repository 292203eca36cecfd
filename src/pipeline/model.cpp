#include "pipeline/model.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "sampling/registry.h"
#include "sampling/scheduler_config.h"

namespace mezzo {
namespace {

/// What a model must have for a field to count.
struct FieldNeed {
  std::string_view field;
  int text_encoders = 1;
  bool skippable_layers = false;
  bool diffusion = false;  // steps of a diffusion process, not those of flow matching
};
constexpr FieldNeed kNeeds[] = {
    {.field = "prompt_2", .text_encoders = 2},
    {.field = "prompt_3", .text_encoders = 3},
    {.field = "negative_prompt_2", .text_encoders = 2},
    {.field = "negative_prompt_3", .text_encoders = 3},
    {.field = "t5_length", .text_encoders = 3},
    {.field = "skip_layer_guidance", .skippable_layers = true},
    {.field = "skip_layers", .skippable_layers = true},
    {.field = "skip_layer_start", .skippable_layers = true},
    {.field = "skip_layer_stop", .skippable_layers = true},
    {.field = "spacing", .diffusion = true},
    {.field = "prediction", .diffusion = true},
};

}  // namespace

nlohmann::json scheduler_config(const ModelBundle& bundle) {
  return bundle.scheduler.is_object() ? bundle.scheduler : find_family(bundle).scheduler(bundle);
}

std::string sampler_name(const nlohmann::json& scheduler) {
  const auto name = std::string(sampling::SchedulerConfig(scheduler).scheduler().name);
  const auto* row = sampling::find_sampler(name);
  return row ? std::string(row->name) : name;
}

std::vector<std::string> drawable_objects(const ModelBundle& bundle) {
  std::vector<std::string> objects;
  if (bundle.defaults.is_object() && bundle.defaults.contains("objects") &&
      bundle.defaults["objects"].is_array())
    for (const auto& o : bundle.defaults["objects"])
      if (o.is_string()) objects.push_back(o.get<std::string>());
  return objects;
}

namespace {

/// The denoiser with some rows of a batch at a time. A row's result does not depend on the others.
class InTurns final : public Denoiser {
 public:
  InTurns(std::unique_ptr<Denoiser> denoiser, std::int64_t rows)
      : denoiser_(std::move(denoiser)), rows_(rows) {}

  Tensor operator()(const Tensor& x, const Call& call) const override {
    if (x.dim(0) <= rows_) return (*denoiser_)(x, call);
    std::vector<Tensor> parts;
    for (std::int64_t begin = 0; begin < x.dim(0); begin += rows_) {
      const auto end = std::min(begin + rows_, x.dim(0));
      const auto some = [&](const Tensor& all) { return all ? all.slice(0, begin, end) : all; };
      const TextEmbedding text{.tokens = some(call.text.tokens), .pooled = some(call.text.pooled)};
      parts.push_back((*denoiser_)(
          some(x),
          {.timestep = call.timestep, .text = text, .skipped_layers = call.skipped_layers}));
    }
    return ops::concat(parts, 0);
  }

 private:
  std::unique_ptr<Denoiser> denoiser_;
  std::int64_t rows_;
};

std::unique_ptr<Denoiser> build_denoiser(const ModelBundle& bundle, const Loading& loading) {
  auto denoiser = find_family(bundle).make_denoiser(bundle, loading);
  if (!loading.strategy.rows_at_once) return denoiser;
  return std::make_unique<InTurns>(std::move(denoiser), loading.strategy.rows_at_once);
}

}  // namespace

Model::Model(const ModelBundle& bundle, const Loading& loading, const OnNetwork& on_network)
    : backend(loading.backend),
      description(find_family(bundle).describe(bundle)),
      text((on_network ? on_network("text encoder", 0, 3) : void(),
            find_family(bundle).text_conditioner(bundle, loading))),
      denoiser((on_network ? on_network(find_family(bundle).denoiser_name.data(), 1, 3) : void(),
                build_denoiser(bundle, loading))),
      vae((on_network ? on_network("VAE", 2, 3) : void(),
           make_autoencoder(bundle.components.at("vae"), loading))) {
  if (description.out_channels != vae->latent_channels() ||
      (description.in_channels != vae->latent_channels() && !is_inpainting()))
    fail<LoadError>(
        "{}: a {} of {} -> {} channels does not go with a VAE of {} latent channels; use the VAE "
        "that belongs to the model (--vae)",
        bundle.path.string(), find_family(bundle).denoiser_name, description.in_channels,
        description.out_channels, vae->latent_channels());
}

ModelDefaults defaults_of(const Model& model, const ModelBundle& bundle) {
  const auto& d = model.description;
  const auto factor = model.vae->factor();
  ModelDefaults family;
  family.steps = d.steps;
  family.guidance = d.guidance;
  family.width = family.height = d.sample_size * factor;
  family.factor = factor * d.patch;
  family.inpainting = model.is_inpainting();
  family.skippable_layers = d.skippable_layers;
  return ModelDefaults::from(bundle.defaults, family, bundle.path.string());
}

std::vector<std::string> unused_fields(const Model& model, const ModelBundle& bundle) {
  const ModelDescription& d = model.description;
  const bool flow = sampling::SchedulerConfig(scheduler_config(bundle)).is_flow();
  std::vector<std::string> unused;
  for (const FieldNeed& need : kNeeds)
    if (need.text_encoders > d.text_encoders ||
        (need.skippable_layers && d.skippable_layers == 0) || (need.diffusion && flow))
      unused.emplace_back(need.field);
  return unused;
}

}  // namespace mezzo
