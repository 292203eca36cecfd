#include "pipeline/model.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
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

struct Range {
  std::int64_t begin, end;
  std::int64_t size() const { return end - begin; }
};

/// Of rows [text 0 of all pictures, text 1 of all, ...] those of some texts and pictures.
Tensor rows_of(const Tensor& all, std::int64_t pictures, Range texts, Range some) {
  if (!all) return all;
  std::vector<Tensor> rows;
  for (auto t = texts.begin; t < texts.end; ++t)
    rows.push_back(all.slice(0, t * pictures + some.begin, t * pictures + some.end));
  return rows.size() == 1 ? rows[0] : ops::concat(rows, 0);
}

/// The denoiser with some rows of a batch at a time: pictures with all their texts, or, where that
/// is too much, one picture with some of its texts. A row's result does not depend on the others.
/// Then nothing is kept from call to call.
class InTurns final : public Denoiser {
 public:
  InTurns(std::unique_ptr<Denoiser> denoiser, std::int64_t rows)
      : denoiser_(std::move(denoiser)), rows_(rows) {}

  Tensor operator()(const Tensor& x, const Call& call) const override {
    const auto pictures = x.dim(0), texts = call.text.tokens.dim(0) / pictures;
    if (pictures * texts <= rows_) return (*denoiser_)(x, call);
    const bool plans = !ops::backend_of(x).has_data();
    if (!plans && call.memo && call.memo->deep.on() && !std::exchange(warned_, true))
      log_warning(
          "max_drift does nothing in steps with guidance: memory is so short that prompt and "
          "negative prompt are computed one after the other");
    const auto texts_at_once = std::min(rows_, texts), at_once = rows_ / texts_at_once;
    std::vector<std::vector<Tensor>> results(static_cast<std::size_t>(texts));
    for (std::int64_t p = 0; p < pictures; p += at_once)
      for (std::int64_t t = 0; t < texts; t += texts_at_once) {
        const Range some{p, std::min(p + at_once, pictures)};
        const Range of{t, std::min(t + texts_at_once, texts)};
        const TextEmbedding text{.tokens = rows_of(call.text.tokens, pictures, of, some),
                                 .pooled = rows_of(call.text.pooled, pictures, of, some)};
        const Tensor out = (*denoiser_)(
            x.slice(0, some.begin, some.end),
            {.timestep = call.timestep, .text = text, .skipped_layers = call.skipped_layers});
        for (std::int64_t i = 0; i < of.size(); ++i)
          results[static_cast<std::size_t>(t + i)].push_back(
              out.slice(0, i * some.size(), (i + 1) * some.size()));
      }
    std::vector<Tensor> all;
    for (const auto& of_text : results) all.insert(all.end(), of_text.begin(), of_text.end());
    return ops::concat(all, 0);
  }

 private:
  std::unique_ptr<Denoiser> denoiser_;
  std::int64_t rows_;
  mutable bool warned_ = false;
};

/// A denoiser that is read when it is needed and let go after a request.
class LetGo final : public Denoiser {
 public:
  using Read = std::function<std::unique_ptr<Denoiser>()>;
  LetGo(Backend& backend, Read read) : backend_(backend), read_(std::move(read)) {}

  Tensor operator()(const Tensor& x, const Call& call) const override {
    check(denoiser_ != nullptr, "a denoiser is read before it is called");
    return (*denoiser_)(x, call);
  }
  bool in_memory() const override { return denoiser_ != nullptr; }
  void read() override {
    if (!denoiser_) denoiser_ = read_();
  }
  void release() override {
    if (!denoiser_) return;
    denoiser_.reset();
    backend_.trim();
  }

 private:
  Backend& backend_;
  Read read_;
  std::unique_ptr<Denoiser> denoiser_;
};

std::unique_ptr<Denoiser> read_denoiser(const ModelBundle& bundle, const Loading& loading) {
  auto denoiser = find_family(bundle).make_denoiser(bundle, loading);
  if (!loading.strategy.rows_at_once) return denoiser;
  return std::make_unique<InTurns>(std::move(denoiser), loading.strategy.rows_at_once);
}

std::unique_ptr<Denoiser> build_denoiser(const ModelBundle& bundle, const Loading& loading) {
  if (!loading.strategy.once) return read_denoiser(bundle, loading);
  return std::make_unique<LetGo>(loading.backend,
                                 [bundle, loading] { return read_denoiser(bundle, loading); });
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
