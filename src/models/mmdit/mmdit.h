// The denoising network of Stable Diffusion 3 and 3.5: MMDiT (Esser et al. 2024, arXiv:2403.03206)
// and MMDiT-X, whose first layers attend to the picture once more (diffusers'
// SD3Transformer2DModel names).
#pragma once

#include <span>
#include <vector>

#include "models/mmdit/config.h"
#include "models/mmdit/joint_block.h"
#include "models/trace.h"

namespace mezzo {

/// Patches of the latents as tokens, with the middle of a table of positions added. The table is
/// large (453 MB in SD 3.5 Medium) and stays in the file.
class PatchEmbed {
 public:
  PatchEmbed(const Weights& w, const MMDiTConfig& c);
  Tensor operator()(const Tensor& sample) const;  // [B, H, W, C] -> [B, H/patch * W/patch, D]

 private:
  Tensor positions(std::int64_t height, std::int64_t width) const;  // in patches -> [h * w, D]

  Backend& backend_;
  MMDiTConfig config_;
  nn::Conv2d proj;
  LazyTensor pos_embed;
  struct Crop {
    std::int64_t height = 0, width = 0;
    Tensor rows;
  };
  mutable Crop crop_;  // of the last size
};

/// Timestep and pooled text as one vector for each step.
class CombinedTimestepTextProjEmbeddings {
 public:
  CombinedTimestepTextProjEmbeddings(const Weights& w, const MMDiTConfig& c);
  /// Timesteps of B pictures, step by step; pooled [nB, pooled_projection_dim] -> [steps * nB, D].
  Tensor operator()(std::span<const double> timesteps, std::int64_t steps, const Tensor& pooled,
                    Memo* memo = nullptr) const;

 private:
  nn::TimestepEmbedding timestep_embedder, text_embedder;
};

class MMDiT {
 public:
  MMDiT(const Weights& w, const MMDiTConfig& c);

  struct Text {
    Tensor tokens;  // [nB, L, joint_attention_dim]: n texts for each picture
    Tensor pooled;  // [nB, pooled_projection_dim]
    Memo* memo = nullptr;
  };
  /// sample [B, H, W, in_channels], H and W multiples of patch_size and within the position table;
  /// one timestep (sigma * 1000) for each picture -> velocity [nB, H, W, out_channels].
  /// Layers in `skipped` are left out (skip-layer guidance).
  Tensor operator()(const Tensor& sample, std::span<const double> timesteps, const Text& text,
                    std::span<const std::int64_t> skipped = {}, const Trace& trace = {}) const;

 private:
  /// The layers from the second on.
  Tensor deep(Streams s, const nn::StepEmbedding& temb, std::span<const std::int64_t> skipped,
              const Trace& trace) const;
  /// One of them, unless it is skipped.
  Streams layer(std::size_t i, Streams s, const nn::StepEmbedding& temb,
                std::span<const std::int64_t> skipped, const Trace& trace) const;

  MMDiTConfig config_;
  PatchEmbed pos_embed;
  CombinedTimestepTextProjEmbeddings time_text_embed;
  nn::Linear context_embedder;
  std::vector<JointTransformerBlock> transformer_blocks;
  AdaLayerNormContinuous norm_out;
  nn::Linear proj_out;
};

}  // namespace mezzo
