#include "pipeline/autoencoder.h"

#include <optional>

namespace mezzo {
namespace {

/// Reads the weights of one half; what belongs to the other half is not an unused tensor.
template <class Half, class Config>
std::unique_ptr<Half> build(const Component& vae, Backend& backend, Precision precision,
                            const Config& config) {
  const Weights w(vae.weights, backend, precision, "vae");
  auto half = std::make_unique<Half>(w, config);
  w.finish();
  return half;
}

class KlAutoencoder final : public Autoencoder {
 public:
  KlAutoencoder(const Component& vae, Backend& backend, Precision precision,
                const AutoencoderKLConfig& config)
      : vae_(vae),
        backend_(backend),
        precision_(precision),
        config_(config),
        decoder_(build<VaeDecoder>(vae, backend, precision, config)) {}

  Tensor decode(const Tensor& latents) const override {
    return (*decoder_)(ops::scale(latents, 1.0f / config_.scaling_factor, config_.shift_factor));
  }

  Tensor encode(const Tensor& image, const PosteriorNoise& noise) override {
    if (!encoder_) encoder_ = build<VaeEncoder>(vae_, backend_, precision_, config_);
    const auto [mean, logvar] = (*encoder_)(image);
    const Tensor deviation = ops::activate(ops::scale(logvar, 0.5f), Activation::kExp);
    const Tensor z = ops::add(mean, ops::multiply(deviation, noise(mean.shape())));
    return ops::scale(z, config_.scaling_factor, -config_.shift_factor * config_.scaling_factor);
  }

  std::int64_t latent_channels() const override { return config_.latent_channels; }
  std::int64_t factor() const override { return config_.factor(); }

 private:
  Component vae_;
  Backend& backend_;
  Precision precision_;
  AutoencoderKLConfig config_;
  std::unique_ptr<VaeDecoder> decoder_;
  std::unique_ptr<VaeEncoder> encoder_;
};

class TinyAutoencoder final : public Autoencoder {
 public:
  TinyAutoencoder(const Component& vae, Backend& backend, Precision precision,
                  const AutoencoderTinyConfig& config)
      : vae_(vae),
        backend_(backend),
        precision_(precision),
        config_(config),
        decoder_(build<TinyDecoder>(vae, backend, precision, config)) {}

  Tensor decode(const Tensor& latents) const override { return (*decoder_)(latents); }

  Tensor encode(const Tensor& image, const PosteriorNoise&) override {
    if (!encoder_) encoder_ = build<TinyEncoder>(vae_, backend_, precision_, config_);
    return (*encoder_)(image);
  }

  std::int64_t latent_channels() const override { return config_.latent_channels; }
  std::int64_t factor() const override {
    return std::int64_t{1} << (config_.decoder_block_out_channels.size() - 1);
  }

 private:
  Component vae_;
  Backend& backend_;
  Precision precision_;
  AutoencoderTinyConfig config_;
  std::unique_ptr<TinyDecoder> decoder_;
  std::unique_ptr<TinyEncoder> encoder_;
};

}  // namespace

std::unique_ptr<Autoencoder> make_autoencoder(const Component& vae, Backend& backend,
                                              Precision precision) {
  const auto origin = vae.weights->origin() + " (vae config)";
  if (vae.config.is_object() && vae.config.value("_class_name", "") == "AutoencoderTiny")
    return std::make_unique<TinyAutoencoder>(vae, backend, precision,
                                             AutoencoderTinyConfig::parse(vae.config, origin));
  if (vae.config.is_null() && vae.weights->has("decoder.layers.2.conv.0.weight"))
    return std::make_unique<TinyAutoencoder>(vae, backend, precision,
                                             AutoencoderTinyConfig::parse(nullptr, origin));
  return std::make_unique<KlAutoencoder>(vae, backend, precision,
                                         vae.config.is_null()
                                             ? AutoencoderKLConfig::detect(*vae.weights)
                                             : AutoencoderKLConfig::parse(vae.config, origin));
}

}  // namespace mezzo
