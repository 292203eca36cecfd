// Stable Diffusion 1.x and 2.x and their inpainting models (Rombach et al. 2022): a UNet that looks
// at the tokens of one CLIP text encoder.
#include "models/unet/unet.h"
#include "pipeline/families/families.h"
#include "sampling/scheduler_config.h"

namespace mezzo {
namespace {

constexpr std::int64_t kOpenClipWidth = 1024;  // of SD 2.x's text encoder

/// SD 2.x pads with "!", SD 1.x with the end token; folders say so, single files do not.
ClipTokenizer tokenizer_of(const ModelBundle& bundle, const ClipTextConfig& text) {
  return make_clip_tokenizer(bundle, "tokenizer", text,
                             text.hidden_size == kOpenClipWidth ? "!" : "");
}

class ClipConditioner final : public TextConditioner {
 public:
  ClipConditioner(const ModelBundle& bundle, const Loading& loading)
      : text_encoder_(bundle, "text_encoder", loading,
                      config_of<ClipTextConfig>(bundle, "text_encoder")),
        tokenizer_(tokenizer_of(bundle, text_encoder_.config())) {}

  std::vector<TextEmbedding> encode(std::span<const TextRequest> requests,
                                    bool last) const override {
    auto rows = encode_texts(
        requests,
        [&](const TextRequest& r) { return tokenizer_.tokenize(r.prompt.text, limit()).ids; },
        [&](const Tensor& ids, const TextSettings& settings) -> TextEmbedding {
          return {.tokens = text_encoder_.network()(ids, {.skip = settings.clip_skip}).hidden};
        });
    text_encoder_.release(last);
    return rows;
  }
  std::vector<Cut> cuts(const Prompt& prompt, const TextSettings&) const override {
    auto tokens = tokenizer_.tokenize(prompt.text, limit());
    if (tokens.cut.empty()) return {};
    return {{limit(), std::move(tokens.cut)}};
  }
  TokenReport tokens(const std::string& text) const override {
    return token_report(tokenizer_, text, limit());
  }

 private:
  int limit() const { return static_cast<int>(text_encoder_.config().max_position_embeddings); }

  TextEncoder<ClipText, ClipTextConfig> text_encoder_;
  ClipTokenizer tokenizer_;
};

class UNetDenoiser final : public Denoiser {
 public:
  explicit UNetDenoiser(UNet unet) : unet_(std::move(unet)) {}
  Tensor operator()(const Tensor& x, const Call& call) const override {
    const std::vector<double> times(static_cast<std::size_t>(x.dim(0)), call.timestep);
    return unet_(x, times, {call.text.tokens, call.memo});
  }

 private:
  UNet unet_;
};

ModelDescription describe(const ModelBundle& bundle) {
  const auto text = config_of<ClipTextConfig>(bundle, "text_encoder");
  const auto unet = config_of<UNetConfig>(bundle, "unet");
  if (text.hidden_size != unet.cross_attention_dim)
    fail<LoadError>(
        "{}: the text encoder gives {} numbers a token, the UNet expects {}; they belong to "
        "different models (give the right one with --clip)",
        bundle.path.string(), text.hidden_size, unet.cross_attention_dim);
  const char* base = unet.cross_attention_dim == 768    ? "SD 1.x"
                     : unet.cross_attention_dim == 1024 ? "SD 2.x"
                                                        : "Stable Diffusion";
  return {.family = unet.in_channels == 9 ? fmt::format("{} inpainting", base) : base,
          .in_channels = unet.in_channels,
          .out_channels = unet.out_channels,
          .sample_size = unet.sample_size};
}

/// The schedule that every SD 1.x and 2.x model was trained on, and the sampler their folders name.
/// SD 2.x's 768-pixel models predict v, everything else the noise.
nlohmann::json scheduler(const ModelBundle& bundle) {
  const auto unet = config_of<UNetConfig>(bundle, "unet");
  nlohmann::json s = sampling::SchedulerConfig().fields();
  const bool v = unet.cross_attention_dim == 1024 && unet.in_channels == 4;
  s["prediction_type"] = v ? "v_prediction" : "epsilon";
  if (v)
    log_warning(
        "{}: is an SD 2.x model without a config; taking it to predict v (the 768-pixel models "
        "do). If the pictures are noise, add --prediction epsilon",
        bundle.path.string());
  return s;
}

std::unique_ptr<TextConditioner> text_conditioner(const ModelBundle& bundle,
                                                  const Loading& loading) {
  return std::make_unique<ClipConditioner>(bundle, loading);
}

std::unique_ptr<Denoiser> make_denoiser(const ModelBundle& bundle, const Loading& loading) {
  NetworkSource source(bundle, "unet");
  source.held = loading.strategy.denoiser_held;
  return std::make_unique<UNetDenoiser>(
      build<UNet>(source, loading, config_of<UNetConfig>(bundle, "unet")));
}

TokenReport tokens(const ModelBundle& bundle, const std::string& text) {
  const auto config = config_of<ClipTextConfig>(bundle, "text_encoder");
  return token_report(tokenizer_of(bundle, config), text,
                      static_cast<int>(config.max_position_embeddings));
}

}  // namespace

Family stable_diffusion() {
  return {.denoiser = "unet",
          .denoiser_name = "UNet",
          .describe = describe,
          .scheduler = scheduler,
          .text_conditioner = text_conditioner,
          .make_denoiser = make_denoiser,
          .tokens = tokens};
}

}  // namespace mezzo
