// A layer of MMDiT: text and picture, each with weights of its own, attend to both together
// (Esser et al. 2024, arXiv:2403.03206, figure 2b; diffusers' JointTransformerBlock).
#pragma once

#include <array>
#include <vector>

#include "models/mmdit/config.h"
#include "nn/step_embedding.h"

namespace mezzo {

/// Tokens on their way through the layers: context [B, Lc, D], picture [B, L, D].
struct Streams {
  Tensor context, x;
};

/// Layer norm whose scale and shift, and a gate for what follows, come from time and text (adaLN of
/// Peebles & Xie 2023, arXiv:2212.09748).
struct Modulation {
  Tensor scale, shift, gate;  // [B, D] each: views
  Tensor operator()(const Tensor& x) const;
};

/// What one linear layer makes of the embedding: a modulation for each sublayer.
class AdaLayerNormZero {
 public:
  struct Config {
    std::int64_t width, modulations;
  };
  AdaLayerNormZero(const Weights& w, const Config& c);
  std::vector<Modulation> operator()(
      const nn::StepEmbedding& temb) const;  // temb [B, width], after SiLU

 private:
  Config config_;
  nn::Linear linear;
};

/// The same before an output: scale and shift, no gate.
class AdaLayerNormContinuous {
 public:
  AdaLayerNormContinuous(const Weights& w, std::int64_t width);
  Tensor operator()(const Tensor& x, const nn::StepEmbedding& temb) const;  // [B, L, width]

 private:
  std::int64_t width_;
  nn::Linear linear;
};

/// One attention over the tokens of both streams.
class JointAttention {
 public:
  struct Config {
    std::int64_t heads, head_size;
    bool qk_norm, context_pre_only;
  };
  JointAttention(const Weights& w, const Config& c);
  /// The residual and gate of each stream arrive as an epilogue. Where the context is only looked
  /// at, its result is undefined.
  Streams operator()(const Streams& in, const Epilogue& to_context, const Epilogue& to_x) const;

 private:
  Config config_;
  Precision precision_;
  nn::Linear to_q, to_k, to_v, to_out;
  nn::Linear add_k_proj, add_v_proj;
  std::optional<nn::Linear> add_q_proj, to_add_out;
  std::optional<nn::RmsNorm> norm_q, norm_k, norm_added_q, norm_added_k;
};

class JointTransformerBlock {
 public:
  struct Config {
    std::int64_t heads, head_size;
    bool qk_norm, dual_attention, context_pre_only;
  };
  JointTransformerBlock(const Weights& w, const Config& c);
  /// temb [B, D], after SiLU. The last layer's context is undefined: nobody reads it.
  Streams operator()(Streams s, const nn::StepEmbedding& temb) const;

 private:
  AdaLayerNormZero norm1;
  std::optional<AdaLayerNormZero> norm1_context;
  std::optional<AdaLayerNormContinuous> norm1_context_pre_only;
  JointAttention attn;
  std::optional<nn::Attention> attn2;  // of the picture alone
  nn::FeedForward ff;
  std::optional<nn::FeedForward> ff_context;
};

}  // namespace mezzo
