#include "models/clip/clip_text.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <nlohmann/json.hpp>

#include "base/config.h"

namespace mezzo {
namespace {

struct ActivationName {
  std::string_view name;
  Activation activation;
};
constexpr std::array kActivations = {
    ActivationName{"quick_gelu", Activation::kQuickGelu},
    ActivationName{"gelu", Activation::kGelu},
    ActivationName{"gelu_new", Activation::kGeluTanh},
    ActivationName{"gelu_pytorch_tanh", Activation::kGeluTanh},
};

constexpr std::int64_t kMaxVocabulary = 1 << 22, kMaxWidth = 16384, kMaxInner = 65536;
constexpr std::int64_t kMaxLayers = 256, kMinPositions = 3, kMaxPositions = 8192;

/// What was read from shapes keeps the limits of what is read from a config.
void check_sizes(const ClipTextConfig& c, const std::string& origin) {
  const auto within = [&](const char* what, std::int64_t size, std::int64_t least,
                          std::int64_t most) {
    if (size < least || size > most)
      fail<LoadError>("{}: a text encoder with {} {} cannot be; {} to {} can", origin, size, what,
                      least, most);
  };
  within("tokens", c.vocab_size, 1, kMaxVocabulary);
  within("channels", c.hidden_size, 1, kMaxWidth);
  within("inner channels", c.intermediate_size, 1, kMaxInner);
  within("layers", c.num_hidden_layers, 1, kMaxLayers);
  within("positions", c.max_position_embeddings, kMinPositions, kMaxPositions);
  within("projected channels", c.projection_dim, 1, kMaxWidth);
}

void check_heads(const ClipTextConfig& c, const std::string& origin) {
  if (c.hidden_size <= 0 || c.num_attention_heads <= 0 || c.hidden_size % c.num_attention_heads)
    fail<LoadError>("{}: a text encoder of width {} cannot have {} heads", origin, c.hidden_size,
                    c.num_attention_heads);
}

/// Position of the first end token of a row. Old configs say 2 for it; there it is the largest id.
std::int64_t end_position(std::span<const std::int32_t> row, std::int64_t eos) {
  const auto it = eos == 2 ? std::ranges::max_element(row)
                           : std::ranges::find(row, static_cast<std::int32_t>(eos));
  return it == row.end() ? 0 : it - row.begin();
}

}  // namespace

ClipTextConfig ClipTextConfig::parse(const nlohmann::json& json, const std::string& origin) {
  const nlohmann::json* fields = &json;  // a whole CLIP model keeps its text half under text_config
  if (json.is_object() && json.contains("text_config") && json["text_config"].is_object())
    fields = &json["text_config"];
  const ConfigReader r(*fields, origin);
  ClipTextConfig c;
  c.vocab_size = r.integer("vocab_size", 49408, 1, kMaxVocabulary);
  c.hidden_size = r.integer("hidden_size", 512, 1, kMaxWidth);
  c.intermediate_size = r.integer("intermediate_size", 2048, 1, kMaxInner);
  c.num_hidden_layers = r.integer("num_hidden_layers", 12, 1, kMaxLayers);
  c.num_attention_heads = r.integer("num_attention_heads", 8, 1, 1024);
  c.max_position_embeddings =
      r.integer("max_position_embeddings", 77, kMinPositions, kMaxPositions);
  c.projection_dim = r.integer("projection_dim", 512, 1, kMaxWidth);
  c.layer_norm_eps = static_cast<float>(r.number("layer_norm_eps", 1e-5));
  c.eos_token_id = r.integer("eos_token_id", 49407, 0, kMaxVocabulary);
  const auto act = r.text("hidden_act", "quick_gelu");
  const auto* row = std::ranges::find(kActivations, act, &ActivationName::name);
  if (row == kActivations.end()) fail<LoadError>("{}: \"hidden_act\" {} is not known", origin, act);
  c.hidden_act = row->activation;
  check_heads(c, origin);
  return c;
}

ClipTextConfig ClipTextConfig::detect(const TensorSource& tensors) {
  auto shape = [&](const std::string& name) -> Shape {
    const auto i = tensors.find(name);
    if (i < 0 || tensors.tensors()[static_cast<std::size_t>(i)].shape.rank() != 2)
      fail<LoadError>("{}: has no text encoder tensor {}; give a complete text encoder with --clip",
                      tensors.origin(), name);
    return tensors.tensors()[static_cast<std::size_t>(i)].shape;
  };
  ClipTextConfig c;
  const Shape tokens = shape("text_model.embeddings.token_embedding.weight");
  c.vocab_size = tokens[0];
  c.hidden_size = tokens[1];
  c.max_position_embeddings = shape("text_model.embeddings.position_embedding.weight")[0];
  c.intermediate_size = shape("text_model.encoder.layers.0.mlp.fc1.weight")[0];
  c.num_hidden_layers = 0;
  while (tensors.has(
      fmt::format("text_model.encoder.layers.{}.layer_norm1.weight", c.num_hidden_layers)))
    ++c.num_hidden_layers;
  c.num_attention_heads =
      std::max<std::int64_t>(c.hidden_size / 64, 1);  // every published CLIP has heads of 64
  // OpenAI's encoder (width 768) has the quick form; OpenCLIP's (1024 and up) the exact one.
  c.hidden_act = c.hidden_size >= 1024 ? Activation::kGelu : Activation::kQuickGelu;
  c.eos_token_id = c.vocab_size - 1;
  if (tensors.has("text_projection.weight")) c.projection_dim = shape("text_projection.weight")[0];
  check_sizes(c, tensors.origin());
  check_heads(c, tensors.origin());
  return c;
}

ClipEncoderLayer::ClipEncoderLayer(const Weights& w, const ClipTextConfig& c)
    : layer_norm1(w / "layer_norm1", {.width = c.hidden_size, .eps = c.layer_norm_eps}),
      q_proj(w / "self_attn" / "q_proj", {.in = c.hidden_size, .out = c.hidden_size}),
      k_proj(w / "self_attn" / "k_proj", {.in = c.hidden_size, .out = c.hidden_size}),
      v_proj(w / "self_attn" / "v_proj", {.in = c.hidden_size, .out = c.hidden_size}),
      out_proj(w / "self_attn" / "out_proj", {.in = c.hidden_size, .out = c.hidden_size}),
      layer_norm2(w / "layer_norm2", {.width = c.hidden_size, .eps = c.layer_norm_eps}),
      fc1(w / "mlp" / "fc1", {.in = c.hidden_size, .out = c.intermediate_size}),
      fc2(w / "mlp" / "fc2", {.in = c.intermediate_size, .out = c.hidden_size}),
      attention_{
          .heads = static_cast<int>(c.num_attention_heads),
          .scale = 1.0f / std::sqrt(static_cast<float>(c.hidden_size / c.num_attention_heads)),
          .causal = true},
      activation_(c.hidden_act) {}

Tensor ClipEncoderLayer::operator()(Tensor x) const {
  Tensor h = layer_norm1(x);
  x = out_proj(ops::attention(q_proj(h), k_proj(h), v_proj(h), attention_), {.add = x});
  h = layer_norm2(x);
  return fc2(fc1(h, {.activation = activation_}), {.add = x});
}

ClipText::ClipText(const Weights& weights, const ClipTextConfig& c)
    : config_(c),
      token_embedding(weights / "text_model" / "embeddings" / "token_embedding",
                      {.count = c.vocab_size, .width = c.hidden_size}),
      position_embedding(weights / "text_model" / "embeddings" / "position_embedding",
                         {.count = c.max_position_embeddings, .width = c.hidden_size}),
      final_layer_norm(weights / "text_model" / "final_layer_norm",
                       {.width = c.hidden_size, .eps = c.layer_norm_eps}) {
  for (std::int64_t i = 0; i < c.num_hidden_layers; ++i)
    layers.emplace_back(weights / "text_model" / "encoder" / "layers" / static_cast<std::size_t>(i),
                        c);
  if (weights.has("text_projection.weight"))
    text_projection.emplace(
        weights / "text_projection",
        nn::Linear::Config{.in = c.hidden_size, .out = c.projection_dim, .bias = false});
}

ClipTextOutput ClipText::operator()(const Tensor& ids, const Options& options,
                                    const Trace& trace) const {
  check(ids.rank() == 2 && ids.dim(1) <= config_.max_position_embeddings,
        "ids are [B, L] with L within the positions");
  const auto count = static_cast<int>(layers.size());
  if (options.skip < 1 || options.skip > count)
    fail<UsageError>("clip skip {} is outside 1..{}: the text encoder has {} layers", options.skip,
                     count, count);

  Tensor x = ops::add(token_embedding(ids), position_embedding.first(ids.dim(1)));
  (trace / "hidden_states" / 0)(x);
  Tensor kept;
  for (int i = 0; i < count; ++i) {
    x = layers[static_cast<std::size_t>(i)](std::move(x));
    (trace / "hidden_states" / static_cast<std::size_t>(i + 1))(x);
    if (i == count - options.skip) kept = x;
  }
  ClipTextOutput out;
  out.hidden = options.final_norm ? final_layer_norm(kept) : kept;

  const Tensor last = final_layer_norm(x);
  std::vector<Tensor> rows;
  for (std::int64_t b = 0; b < ids.dim(0); ++b) {
    const std::span row(ids.data<std::int32_t>() + b * ids.dim(1),
                        static_cast<std::size_t>(ids.dim(1)));
    const auto at = end_position(row, config_.eos_token_id);
    rows.push_back(last.slice(0, b, b + 1).slice(1, at, at + 1));
  }
  out.pooled = ops::concat(rows, 0).view({ids.dim(0), config_.hidden_size});
  if (text_projection) out.projected = (*text_projection)(out.pooled);
  return out;
}

}  // namespace mezzo
