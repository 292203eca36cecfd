#include "models/t5/t5_encoder.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <nlohmann/json.hpp>

#include "base/config.h"

namespace mezzo {
namespace {

struct FeedForwardName {
  std::string_view name;
  Activation activation;
};
constexpr std::array kFeedForwards = {
    FeedForwardName{"gated-gelu", Activation::kGeluTanh},
    FeedForwardName{"gated-gelu_new", Activation::kGeluTanh},
    FeedForwardName{"gated-silu", Activation::kSilu},
    FeedForwardName{"gated-relu", Activation::kRelu},
};

constexpr std::int64_t kMaxVocabulary = 1 << 22, kMaxWidth = 65536, kMaxHeads = 1024;
constexpr std::int64_t kMaxLayers = 256, kMinBuckets = 4, kMaxBuckets = 4096;
constexpr std::int64_t kMaxDistance = 1 << 20;

// Added to the score of a token that the mask hides: finite, so that a row without any visible
// token still has an average.
constexpr float kHidden = -1e30f;

void check_widths(const T5EncoderConfig& c, const std::string& origin) {
  if (c.num_heads * c.d_kv > kMaxWidth)
    fail<LoadError>("{}: {} heads of {} channels are more than a T5 encoder has", origin,
                    c.num_heads, c.d_kv);
  if (c.relative_attention_max_distance <= c.relative_attention_num_buckets / 4)
    fail<LoadError>("{}: {} buckets of positions do not fit into a distance of {}", origin,
                    c.relative_attention_num_buckets, c.relative_attention_max_distance);
}

/// The bucket of a key that stands `distance` tokens after the query (negative: before it). The
/// second half of the buckets is for keys after it, the first for the others; in each half the
/// first half are for single distances, the others grow with the logarithm up to the largest
/// distance. float32 as in the reference, which decides at the borders.
std::int64_t bucket_of(std::int64_t distance, const T5EncoderConfig& c) {
  const std::int64_t half = c.relative_attention_num_buckets / 2, single = half / 2;
  const std::int64_t begin = distance > 0 ? half : 0, far = std::abs(distance);
  if (far < single) return begin + far;
  const float ratio =
      std::log(static_cast<float>(far) / static_cast<float>(single)) /
      static_cast<float>(std::log(static_cast<double>(c.relative_attention_max_distance) /
                                  static_cast<double>(single)));
  const auto grown = single + static_cast<std::int64_t>(ratio * static_cast<float>(half - single));
  return begin + std::min(grown, half - 1);
}

/// [B, L] of 0 and 1 -> what is added to the scores of each key, [L] for each row.
std::vector<Tensor> hidden_keys(Backend& backend, const Tensor& mask) {
  std::vector<Tensor> rows;
  for (std::int64_t b = 0; b < mask.dim(0); ++b) {
    Tensor row(host(), DType::kF32, {mask.dim(1)});
    std::transform(mask.data<std::int32_t>() + b * mask.dim(1),
                   mask.data<std::int32_t>() + (b + 1) * mask.dim(1), row.data<float>(),
                   [](std::int32_t seen) { return seen ? 0.0f : kHidden; });
    rows.push_back(backend.upload(row));
  }
  return rows;
}

/// The embedding under either of its names; files that have both hold the same twice.
Weights embedding_of(const Weights& w) {
  const Weights copy = w / "encoder" / "embed_tokens";
  if (!w.has("shared.weight") && copy.has("weight")) return copy;
  copy.pass_over("weight");
  return w / "shared";
}

}  // namespace

T5EncoderConfig T5EncoderConfig::parse(const nlohmann::json& json, const std::string& origin) {
  const ConfigReader r(json, origin);
  T5EncoderConfig c;
  c.vocab_size = r.integer("vocab_size", 32128, 1, kMaxVocabulary);
  c.d_model = r.integer("d_model", 512, 1, kMaxWidth);
  c.d_kv = r.integer("d_kv", 64, 1, kMaxWidth);
  c.num_heads = r.integer("num_heads", 8, 1, kMaxHeads);
  c.d_ff = r.integer("d_ff", 2048, 1, kMaxWidth);
  c.num_layers = r.integer("num_layers", 6, 1, kMaxLayers);
  c.relative_attention_num_buckets =
      r.integer("relative_attention_num_buckets", 32, kMinBuckets, kMaxBuckets);
  c.relative_attention_max_distance =
      r.integer("relative_attention_max_distance", 128, 1, kMaxDistance);
  c.layer_norm_epsilon = static_cast<float>(r.number("layer_norm_epsilon", 1e-6));
  const auto name = r.text("feed_forward_proj", "relu");
  const auto* row = std::ranges::find(kFeedForwards, name, &FeedForwardName::name);
  if (row == kFeedForwards.end())
    fail<LoadError>(
        "{}: \"feed_forward_proj\" {} is none of T5 v1.1's; give the T5 encoder of Stable "
        "Diffusion 3",
        origin, name);
  c.dense_act_fn = row->activation;
  check_widths(c, origin);
  return c;
}

T5EncoderConfig T5EncoderConfig::detect(const TensorSource& tensors) {
  const auto sizes = [&](const std::string& name) -> Shape {
    const auto i = tensors.find(name);
    if (i < 0 || tensors.tensors()[static_cast<std::size_t>(i)].shape.rank() != 2)
      fail<LoadError>("{}: has no T5 encoder tensor {}; give a complete T5 v1.1 encoder with --t5",
                      tensors.origin(), name);
    return tensors.tensors()[static_cast<std::size_t>(i)].shape;
  };
  const auto within = [&](const char* what, std::int64_t size, std::int64_t least,
                          std::int64_t most) {
    if (size < least || size > most)
      fail<LoadError>("{}: a T5 encoder with {} {} cannot be; {} to {} can", tensors.origin(), size,
                      what, least, most);
    return size;
  };
  const std::string attention = "encoder.block.0.layer.0.SelfAttention.";
  T5EncoderConfig c;
  const Shape table =
      sizes(tensors.has("shared.weight") ? "shared.weight" : "encoder.embed_tokens.weight");
  const Shape bias = sizes(attention + "relative_attention_bias.weight");
  c.vocab_size = within("tokens", table[0], 1, kMaxVocabulary);
  c.d_model = within("channels", table[1], 1, kMaxWidth);
  c.relative_attention_num_buckets =
      within("buckets of positions", bias[0], kMinBuckets, kMaxBuckets);
  c.num_heads = within("heads", bias[1], 1, kMaxHeads);
  c.d_kv =
      within("channels of a head", sizes(attention + "q.weight")[0] / c.num_heads, 1, kMaxWidth);
  c.d_ff = within("inner channels", sizes("encoder.block.0.layer.1.DenseReluDense.wi_0.weight")[0],
                  1, kMaxWidth);
  c.num_layers = 0;
  while (tensors.has(fmt::format("encoder.block.{}.layer.0.layer_norm.weight", c.num_layers)))
    ++c.num_layers;
  within("layers", c.num_layers, 1, kMaxLayers);
  check_widths(c, tensors.origin());
  return c;
}

T5Block::T5Block(const Weights& w, const T5EncoderConfig& c)
    : attention_norm(w / "layer" / 0 / "layer_norm",
                     {.width = c.d_model, .eps = c.layer_norm_epsilon}),
      q(w / "layer" / 0 / "SelfAttention" / "q",
        {.in = c.d_model, .out = c.num_heads * c.d_kv, .bias = false}),
      k(w / "layer" / 0 / "SelfAttention" / "k",
        {.in = c.d_model, .out = c.num_heads * c.d_kv, .bias = false}),
      v(w / "layer" / 0 / "SelfAttention" / "v",
        {.in = c.d_model, .out = c.num_heads * c.d_kv, .bias = false}),
      o(w / "layer" / 0 / "SelfAttention" / "o",
        {.in = c.num_heads * c.d_kv, .out = c.d_model, .bias = false}),
      feed_forward_norm(w / "layer" / 1 / "layer_norm",
                        {.width = c.d_model, .eps = c.layer_norm_epsilon}),
      wi_0(w / "layer" / 1 / "DenseReluDense" / "wi_0",
           {.in = c.d_model, .out = c.d_ff, .bias = false}),
      wi_1(w / "layer" / 1 / "DenseReluDense" / "wi_1",
           {.in = c.d_model, .out = c.d_ff, .bias = false}),
      wo(w / "layer" / 1 / "DenseReluDense" / "wo",
         {.in = c.d_ff, .out = c.d_model, .bias = false}),
      heads_(static_cast<int>(c.num_heads)),
      activation_(c.dense_act_fn) {}

/// Self-attention of every row. T5 does not divide by the root of the head size: its weights were
/// started so that it need not.
Tensor T5Block::attend(const Tensor& x, const std::vector<Tensor>& biases) const {
  const Tensor queries = q(x), keys = k(x), values = v(x);
  if (biases.size() == 1)
    return ops::attention(queries, keys, values, {.heads = heads_, .bias = biases[0]});
  std::vector<Tensor> rows;
  for (std::int64_t b = 0; b < x.dim(0); ++b) {
    const auto row = [b](const Tensor& t) { return t.slice(0, b, b + 1); };
    rows.push_back(ops::attention(row(queries), row(keys), row(values),
                                  {.heads = heads_, .bias = biases[static_cast<std::size_t>(b)]}));
  }
  return ops::concat(rows, 0);
}

Tensor T5Block::operator()(Tensor x, const std::vector<Tensor>& biases, const Trace& trace) const {
  x = o(attend(attention_norm(x), biases), {.add = x});
  (trace / "after_attention")(x);
  const Tensor h = feed_forward_norm(x);
  x = wo(ops::multiply(wi_0(h, {.activation = activation_}), wi_1(h)), {.add = x});
  trace(x);
  return x;
}

T5Encoder::T5Encoder(const Weights& w, const T5EncoderConfig& c)
    : config_(c),
      backend_(w.backend()),
      shared(embedding_of(w), {.count = c.vocab_size, .width = c.d_model}),
      relative_attention_bias(
          w / "encoder" / "block" / 0 / "layer" / 0 / "SelfAttention" / "relative_attention_bias",
          {.count = c.relative_attention_num_buckets, .width = c.num_heads}),
      final_layer_norm(w / "encoder" / "final_layer_norm",
                       {.width = c.d_model, .eps = c.layer_norm_epsilon}) {
  for (std::int64_t i = 0; i < c.num_layers; ++i)
    block.emplace_back(w / "encoder" / "block" / static_cast<std::size_t>(i), c);
}

Tensor T5Encoder::position_bias(std::int64_t length) const {
  Tensor buckets(host(), DType::kI32, {length, length});
  for (std::int64_t query = 0; query < length; ++query)
    for (std::int64_t key = 0; key < length; ++key)
      buckets.data<std::int32_t>()[query * length + key] =
          static_cast<std::int32_t>(bucket_of(key - query, config_));
  // [Lq, Lk, heads] -> [heads, Lq, Lk]
  return ops::contiguous(relative_attention_bias(buckets).permute({2, 0, 1}));
}

Tensor T5Encoder::operator()(const Tensor& ids, const Tensor& mask, const Trace& trace) const {
  check(ids.rank() == 2 && (!mask || mask.shape() == ids.shape()), "ids and mask are [B, L]");
  std::vector<Tensor> biases = {position_bias(ids.dim(1))};
  if (mask) {
    const Tensor positions = std::move(biases[0]);
    biases.clear();
    for (const Tensor& hidden : hidden_keys(backend_, mask))
      biases.push_back(ops::add(positions, hidden));
  }
  Tensor x = shared(ids);
  for (std::size_t i = 0; i < block.size(); ++i)
    x = block[i](std::move(x), biases, trace / "block" / i);
  return final_layer_norm(x);
}

}  // namespace mezzo
