#include "pipeline/autoencoder.h"

#include "base/config.h"

namespace mezzo {
namespace {

/// Reads the weights of one half; what belongs to the other half is not an unused tensor.
template <class Half, class Config>
std::unique_ptr<Half> build(const Component& vae, const Loading& loading, const Config& config) {
  Weights w(vae.weights, loading.backend, loading.of_vae(), "vae");
  if (loading.strategy.vae == MemoryStrategy::Vae::kStreamed) w.stream(0);
  auto half = std::make_unique<Half>(w, config);
  w.finish();
  return half;
}

/// What both kinds share: the decoder is read at once, the encoder when it is first needed.
template <class Config, class Decoder, class Encoder>
class Halves : public Autoencoder {
 public:
  Halves(const Component& vae, const Loading& loading, const Config& config)
      : config_(config),
        vae_(vae),
        loading_(loading),
        decoder_(build<Decoder>(vae, loading, config)) {}

  std::int64_t latent_channels() const override { return config_.latent_channels; }
  std::int64_t factor() const override { return config_.factor(); }
  void release_encoder() override {
    if (!encoder_) return;
    encoder_.reset();
    loading_.backend.trim();
  }

 protected:
  const Decoder& decoder() const { return *decoder_; }
  const Encoder& encoder() {
    if (!encoder_) encoder_ = build<Encoder>(vae_, loading_, config_);
    return *encoder_;
  }
  const Config config_;

 private:
  Component vae_;
  Loading loading_;
  std::unique_ptr<Decoder> decoder_;
  std::unique_ptr<Encoder> encoder_;
};

class KlAutoencoder final : public Halves<AutoencoderKLConfig, VaeDecoder, VaeEncoder> {
 public:
  using Halves::Halves;

  Tensor decode(const Tensor& latents) const override {
    return decoder()(ops::scale(latents, 1.0f / config_.scaling_factor, config_.shift_factor));
  }

  Tensor encode(const Tensor& image, const PosteriorNoise& noise) override {
    const auto [mean, logvar] = encoder()(image);
    const Tensor deviation = ops::activate(ops::scale(logvar, 0.5f), Activation::kExp);
    const Tensor z = ops::add(mean, ops::multiply(deviation, noise(mean.shape())));
    return ops::scale(z, config_.scaling_factor, -config_.shift_factor * config_.scaling_factor);
  }
};

class TinyAutoencoder final : public Halves<AutoencoderTinyConfig, TinyDecoder, TinyEncoder> {
 public:
  using Halves::Halves;

  Tensor decode(const Tensor& latents) const override { return decoder()(latents); }
  Tensor encode(const Tensor& image, const PosteriorNoise&) override { return encoder()(image); }
};

}  // namespace

std::unique_ptr<Autoencoder> make_autoencoder(const Component& vae, const Loading& loading) {
  const auto origin = vae.weights->origin() + " (vae config)";
  if (ConfigReader(vae.config, origin).text("_class_name", "") == "AutoencoderTiny")
    return std::make_unique<TinyAutoencoder>(vae, loading,
                                             AutoencoderTinyConfig::parse(vae.config, origin));
  if (vae.config.is_null() && vae.weights->has("decoder.layers.2.conv.0.weight"))
    return std::make_unique<TinyAutoencoder>(vae, loading,
                                             AutoencoderTinyConfig::parse(nullptr, origin));
  return std::make_unique<KlAutoencoder>(vae, loading,
                                         vae.config.is_null()
                                             ? AutoencoderKLConfig::detect(*vae.weights)
                                             : AutoencoderKLConfig::parse(vae.config, origin));
}

}  // namespace mezzo
