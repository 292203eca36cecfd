// The encoder of T5 v1.1 (Raffel et al. 2020, arXiv:1910.10683; Shazeer 2020 for its gated
// feed-forward; transformers' T5EncoderModel names): prompts to embeddings.
#pragma once

#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "models/trace.h"
#include "nn/layers.h"

namespace mezzo {

struct T5EncoderConfig {
  std::int64_t vocab_size = 32128, d_model = 4096, d_kv = 64, num_heads = 64, d_ff = 10240;
  std::int64_t num_layers = 24;
  std::int64_t relative_attention_num_buckets = 32, relative_attention_max_distance = 128;
  float layer_norm_epsilon = 1e-6f;
  Activation dense_act_fn = Activation::kGeluTanh;

  static T5EncoderConfig parse(const nlohmann::json& json, const std::string& origin);
  static T5EncoderConfig detect(const TensorSource& tensors);
};

class T5Block {
 public:
  T5Block(const Weights& w, const T5EncoderConfig& c);
  /// x [B, L, d_model]. biases: one [num_heads, L, L] for the whole batch, or one for each row.
  Tensor operator()(Tensor x, const std::vector<Tensor>& biases, const Trace& trace) const;

 private:
  Tensor attend(const Tensor& x, const std::vector<Tensor>& biases) const;

  nn::RmsNorm attention_norm;
  nn::Linear q, k, v, o;
  nn::RmsNorm feed_forward_norm;
  nn::Linear wi_0, wi_1, wo;
  int heads_;
  Activation activation_;
};

class T5Encoder {
 public:
  T5Encoder(const Weights& w, const T5EncoderConfig& c);

  /// ids: host int32 [B, L]. mask: host int32 [B, L], 0 hides a token from all others; undefined:
  /// every token is seen, the padding too (Stable Diffusion 3). The last hidden state after the
  /// final norm, [B, L, d_model].
  Tensor operator()(const Tensor& ids, const Tensor& mask = {}, const Trace& trace = {}) const;

 private:
  Tensor position_bias(std::int64_t length) const;  // [num_heads, L, L]

  T5EncoderConfig config_;
  Backend& backend_;
  nn::Embedding shared;
  nn::Embedding relative_attention_bias;  // stored in block 0, used by all
  std::vector<T5Block> block;
  nn::RmsNorm final_layer_norm;
};

}  // namespace mezzo
