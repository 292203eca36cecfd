// The network that a sampler calls, whatever its architecture: latents, time and text to a
// prediction.
#pragma once

#include <cstdint>
#include <span>

#include "nn/memo.h"
#include "pipeline/text_conditioner.h"

namespace mezzo {

class Denoiser {
 public:
  virtual ~Denoiser() = default;

  struct Call {
    double timestep;            // the same for every picture
    const TextEmbedding& text;  // n rows for each picture: [text 0 of all, text 1 of all, ...]
    /// Layers to leave out (skip-layer guidance); below ModelDescription::skippable_layers.
    std::span<const std::int64_t> skipped_layers = {};
    /// What may be kept from call to call with the same text and the same shape of x (null:
    /// nothing).
    Memo* memo = nullptr;
  };
  /// x [B, H, W, in_channels] -> [nB, H, W, out_channels].
  virtual Tensor operator()(const Tensor& x, const Call& call) const = 0;
  virtual bool in_memory() const { return true; }
  /// Called before the first step of each batch, and after the last of a request: where the
  /// strategy says so, the network is in memory between them only.
  virtual void read() {}
  virtual void release() {}
};

}  // namespace mezzo
