// Residual block of the Stable Diffusion networks: GroupNorm-SiLU-Conv twice, the timestep added
// between, identity or 1x1 skip. (He et al. 2016; Ho et al. 2020.) The VAE uses it without
// timestep.
#pragma once

#include "nn/step_embedding.h"

namespace mezzo {

class ResnetBlock {
 public:
  struct Config {
    std::int64_t in, out, temb;
    int groups;
    float eps;
  };  // temb 0: no timestep
  ResnetBlock(const Weights& w, const Config& c);
  /// x [nB, H, W, in], SiLU(embedding of the timestep) [B, temb]
  Tensor operator()(Tensor x, const nn::StepEmbedding& temb = {}) const;

 private:
  nn::GroupNorm norm1;
  nn::Conv2d conv1;
  std::optional<nn::Linear> time_emb_proj;
  nn::GroupNorm norm2;
  nn::Conv2d conv2;
  std::optional<nn::Conv2d> conv_shortcut;
};

}  // namespace mezzo
