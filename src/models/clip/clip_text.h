// CLIP's text encoder (Radford et al. 2021; transformers' CLIPTextModel names): prompts to
// embeddings.
#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "models/trace.h"
#include "nn/layers.h"

namespace mezzo {

struct ClipTextConfig {
  std::int64_t vocab_size = 49408, hidden_size = 768, intermediate_size = 3072;
  std::int64_t num_hidden_layers = 12, num_attention_heads = 12, max_position_embeddings = 77;
  std::int64_t projection_dim = 768;
  Activation hidden_act = Activation::kQuickGelu;
  float layer_norm_eps = 1e-5f;
  std::int64_t eos_token_id = 49407;

  static ClipTextConfig parse(const nlohmann::json& json, const std::string& origin);
  static ClipTextConfig detect(const TensorSource& tensors);
};

struct ClipTextOutput {
  Tensor hidden;  // [B, L, hidden_size]: of the layer asked for, after the final norm unless asked
                  // otherwise
  Tensor pooled;  // [B, hidden_size]: last layer after the final norm, at the first end token
  Tensor projected;  // [B, projection_dim]: pooled times text_projection, where the model has one
};

class ClipEncoderLayer {
 public:
  ClipEncoderLayer(const Weights& w, const ClipTextConfig& c);
  Tensor operator()(Tensor x) const;  // [B, L, hidden_size]

 private:
  nn::LayerNorm layer_norm1;
  nn::Linear q_proj, k_proj, v_proj, out_proj;
  nn::LayerNorm layer_norm2;
  nn::Linear fc1, fc2;
  AttentionConfig attention_;
  Activation activation_;
};

class ClipText {
 public:
  ClipText(const Weights& w, const ClipTextConfig& c);

  struct Options {
    int skip = 1;            // 1: the last layer, 2: the one before it (A1111's "clip skip")
    bool final_norm = true;  // false: the raw hidden state (SD 3)
  };
  /// ids: host int32 [B, L], L <= max_position_embeddings.
  ClipTextOutput operator()(const Tensor& ids, const Options& options,
                            const Trace& trace = {}) const;

 private:
  ClipTextConfig config_;
  nn::Embedding token_embedding, position_embedding;
  std::vector<ClipEncoderLayer> layers;
  nn::LayerNorm final_layer_norm;
  std::optional<nn::Linear> text_projection;
};

}  // namespace mezzo
