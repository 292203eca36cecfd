// The autoencoder of a model, whichever kind its config names: pictures to the latents that the
// denoiser works on, and back.
#pragma once

#include <functional>
#include <memory>

#include "checkpoint/bundle.h"
#include "models/vae/autoencoder_kl.h"
#include "models/vae/autoencoder_tiny.h"
#include "pipeline/memory_strategy.h"

namespace mezzo {

/// Standard normal values for the posterior of an encoded picture, [B, H, W, C] like the latents.
using PosteriorNoise = std::function<Tensor(const Shape& nhwc)>;

class Autoencoder {
 public:
  virtual ~Autoencoder() = default;
  /// Latents [B, H, W, C] as the denoiser has them -> picture [B, factor*H, factor*W, 3] in about
  /// [-1, 1].
  virtual Tensor decode(const Tensor& latents) const = 0;
  /// Picture [B, H, W, 3] in [-1, 1] -> latents, sampled from the posterior.
  virtual Tensor encode(const Tensor& image, const PosteriorNoise& noise) = 0;
  /// Called when a request's pictures are encoded: the encoder gives its memory back until the
  /// next.
  virtual void release_encoder() = 0;
  virtual std::int64_t latent_channels() const = 0;
  virtual std::int64_t factor() const = 0;  // pixels a latent spans
};

/// From the component's config, or from the tensors where it has none. The encoder's weights are
/// read when they are first needed. Throws LoadError.
std::unique_ptr<Autoencoder> make_autoencoder(const Component& vae, const Loading& loading);

}  // namespace mezzo
