#include "models/vae/autoencoder_tiny.h"

#include <nlohmann/json.hpp>

#include "base/config.h"

namespace mezzo {

AutoencoderTinyConfig AutoencoderTinyConfig::parse(const nlohmann::json& json,
                                                   const std::string& origin) {
  const ConfigReader r(json, origin);
  AutoencoderTinyConfig c;
  c.in_channels = r.integer("in_channels", 3, 1, 16);
  c.out_channels = r.integer("out_channels", 3, 1, 16);
  c.latent_channels = r.integer("latent_channels", 4, 1, 256);
  c.encoder_block_out_channels =
      r.integers("encoder_block_out_channels", 4, {64, 64, 64, 64}, 1, 4096);
  c.decoder_block_out_channels =
      r.integers("decoder_block_out_channels", 4, {64, 64, 64, 64}, 1, 4096);
  c.num_encoder_blocks = r.integers("num_encoder_blocks", 4, {1, 3, 3, 3}, 0, 64);
  c.num_decoder_blocks = r.integers("num_decoder_blocks", 4, {3, 3, 3, 1}, 0, 64);
  if (c.encoder_block_out_channels.size() != c.num_encoder_blocks.size() ||
      c.decoder_block_out_channels.size() != c.num_decoder_blocks.size())
    fail<LoadError>("{}: lists of different lengths describe the levels of the tiny autoencoder",
                    origin);
  constexpr std::size_t kMaxLevels = 8;
  if (c.decoder_block_out_channels.size() > kMaxLevels || c.decoder_block_out_channels.empty() ||
      c.decoder_block_out_channels.size() != c.encoder_block_out_channels.size())
    fail<LoadError>("{}: the tiny autoencoder needs 1 to {} levels, as many to encode as to decode",
                    origin, kMaxLevels);
  if (c.in_channels != 3 || c.out_channels != 3)
    fail<LoadError>("{}: an autoencoder of {} -> {} channels; pictures have 3", origin,
                    c.in_channels, c.out_channels);
  if (r.text("act_fn", "relu") != "relu" || r.text("upsample_fn", "nearest") != "nearest" ||
      r.integer("upsampling_scaling_factor", 2, 1, 8) != 2)
    fail<LoadError>("{}: describes a variant of the tiny autoencoder that Mezzotint cannot run",
                    origin);
  return c;
}

AutoencoderTinyBlock::AutoencoderTinyBlock(const Weights& w, std::int64_t channels)
    : conv_0(w / "conv" / 0, {.in = channels, .out = channels}),
      conv_2(w / "conv" / 2, {.in = channels, .out = channels}),
      conv_4(w / "conv" / 4, {.in = channels, .out = channels}) {}

Tensor AutoencoderTinyBlock::operator()(const Tensor& x) const {
  const Tensor h =
      conv_2(conv_0(x, {.activation = Activation::kRelu}), {.activation = Activation::kRelu});
  return ops::activate(conv_4(h, {.add = x}), Activation::kRelu);
}

Tensor TinyStage::operator()(Tensor x) const {
  for (const auto& layer : layers) {
    if (layer.upsample) x = ops::upsample_nearest(x, 2 * x.dim(1), 2 * x.dim(2));
    if (layer.block) x = (*layer.block)(x);
    if (layer.conv)
      x = (*layer.conv)(x, {.activation = layer.relu ? Activation::kRelu : Activation::kNone});
  }
  return x;
}

TinyEncoder::TinyEncoder(const Weights& weights, const AutoencoderTinyConfig& c) {
  const Weights w = weights / "encoder" / "layers";
  auto add = [&](const nn::Conv2d::Config& conv) {
    TinyStage::Layer layer;
    layer.conv.emplace(w / stage_.layers.size(), conv);
    stage_.layers.push_back(std::move(layer));
  };
  const auto& channels = c.encoder_block_out_channels;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    if (i == 0)
      add({.in = c.in_channels, .out = channels[0]});
    else
      add({.in = channels[i], .out = channels[i], .stride = 2, .bias = false});
    for (std::int64_t j = 0; j < c.num_encoder_blocks[i]; ++j) {
      TinyStage::Layer layer;
      layer.block.emplace(w / stage_.layers.size(), channels[i]);
      stage_.layers.push_back(std::move(layer));
    }
  }
  add({.in = channels.back(), .out = c.latent_channels});
}

Tensor TinyEncoder::operator()(const Tensor& image) const {
  return stage_(ops::scale(image, 0.5f, 0.5f));  // the network works on pictures in [0, 1]
}

TinyDecoder::TinyDecoder(const Weights& weights, const AutoencoderTinyConfig& c) {
  const Weights w = weights / "decoder" / "layers";
  std::size_t number = 0;  // in the checkpoint, where ReLU and upsampling count as layers
  auto add_conv = [&](const nn::Conv2d::Config& conv, bool relu, bool upsample) {
    TinyStage::Layer layer;
    layer.conv.emplace(w / number++, conv);
    layer.relu = relu;
    layer.upsample = upsample;
    stage_.layers.push_back(std::move(layer));
  };
  const auto& channels = c.decoder_block_out_channels;
  add_conv({.in = c.latent_channels, .out = channels[0]}, true, false);
  ++number;  // ReLU
  for (std::size_t i = 0; i < channels.size(); ++i) {
    for (std::int64_t j = 0; j < c.num_decoder_blocks[i]; ++j) {
      TinyStage::Layer layer;
      layer.block.emplace(w / number++, channels[i]);
      stage_.layers.push_back(std::move(layer));
    }
    const bool last = i + 1 == channels.size();
    if (!last) ++number;  // upsampling
    add_conv({.in = channels[i], .out = last ? c.out_channels : channels[i], .bias = last}, false,
             !last);
  }
}

Tensor TinyDecoder::operator()(const Tensor& latents) const {
  constexpr float kBound = 3.0f;  // values are squashed softly to (-3, 3): 3 tanh(x / 3)
  Tensor x = ops::scale(ops::tanh(ops::scale(latents, 1.0f / kBound)), kBound);
  return ops::scale(stage_(std::move(x)), 2.0f, -1.0f);
}

}  // namespace mezzo
