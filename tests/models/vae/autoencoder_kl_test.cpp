// Networks whose weights stay in their file: the numbers are the same, the memory is less.
#include "models/vae/autoencoder_kl.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include <gtest/gtest.h>

namespace mezzo {
namespace {

/// Float32 tensors with random values that a network keeps in range.
class RandomTensors final : public TensorSource {
 public:
  void add(const std::string& name, const Shape& shape) {
    tensors_.push_back({name, DType::kF32, shape});
    std::ranges::sort(tensors_, {}, &TensorInfo::name);
  }
  void layer(const std::string& name, const Shape& weight) {
    add(name + ".weight", weight);
    add(name + ".bias", {weight[0]});
  }
  void resnet(const std::string& name, std::int64_t in, std::int64_t out) {
    layer(name + ".norm1", {in});
    layer(name + ".conv1", {out, in, 3, 3});
    layer(name + ".norm2", {out});
    layer(name + ".conv2", {out, out, 3, 3});
    if (in != out) layer(name + ".conv_shortcut", {out, in, 1, 1});
  }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void read(std::size_t index, std::span<std::byte> out) const override {
    const TensorInfo& t = tensors_[index];
    const float center = t.name.find("norm") != t.name.npos && t.name.ends_with("weight") ? 1 : 0;
    const auto inputs = static_cast<float>(t.shape.numel() / t.shape[0]);
    std::mt19937 random(static_cast<unsigned>(index));
    std::normal_distribution<float> normal(center, 0.7f / std::sqrt(inputs));
    auto* values = reinterpret_cast<float*>(out.data());
    std::generate_n(values, out.size() / sizeof(float), [&] { return normal(random); });
  }
  std::string origin() const override { return "vae.safetensors"; }

 private:
  std::vector<TensorInfo> tensors_;
};

const AutoencoderKLConfig kSmall = [] {
  AutoencoderKLConfig c;
  c.block_out_channels = {32, 64};
  c.layers_per_block = 1;
  c.norm_num_groups = 8;
  return c;
}();

std::shared_ptr<const TensorSource> small_decoder() {
  auto t = std::make_shared<RandomTensors>();
  t->layer("post_quant_conv", {4, 4, 1, 1});
  t->layer("decoder.conv_in", {64, 4, 3, 3});
  for (const char* resnet : {"0", "1"})
    t->resnet(std::string("decoder.mid_block.resnets.") + resnet, 64, 64);
  t->layer("decoder.mid_block.attentions.0.group_norm", {64});
  for (const char* part : {"to_q", "to_k", "to_v", "to_out.0"})
    t->layer(std::string("decoder.mid_block.attentions.0.") + part, {64, 64});
  for (const char* resnet : {"0", "1"}) {
    t->resnet(std::string("decoder.up_blocks.0.resnets.") + resnet, 64, 64);
    t->resnet(std::string("decoder.up_blocks.1.resnets.") + resnet, *resnet == '0' ? 64 : 32, 32);
  }
  t->layer("decoder.up_blocks.0.upsamplers.0.conv", {64, 64, 3, 3});
  t->layer("decoder.conv_norm_out", {32});
  t->layer("decoder.conv_out", {3, 32, 3, 3});
  return t;
}

struct How {
  std::optional<std::uint64_t> held = {};
  int threads = 2;
  std::int64_t height = 41, width = 24;  // of the latents
};

struct Decoded {
  std::vector<float> picture;
  std::size_t weights, peak;
};

/// Latents through the decoder.
Decoded decode(const How& how) {
  const auto backend = make_cpu_backend({.threads = how.threads});
  Weights w(small_decoder(), *backend, Precision::kF32, "vae");
  if (how.held) w.stream(*how.held);
  const VaeDecoder decoder(w, kSmall);
  EXPECT_TRUE(w.finish().empty());
  Tensor latents(host(), DType::kF32, {1, how.height, how.width, 4});
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::generate_n(latents.data<float>(), latents.numel(), [&] { return normal(random); });
  const Tensor z = backend->upload(latents);
  const auto weights = backend->weight_bytes();
  backend->start_peak();
  const Tensor out = backend->download(decoder(z));
  return {{out.data<float>(), out.data<float>() + out.numel()}, weights, backend->memory_peak()};
}

// The largest activations are the enlarged picture before and after its first residual block: what
// lies between a norm and a convolution, or is enlarged for one, never exists.
TEST(VaeDecoder, HoldsNoNormalisedAndNoEnlargedPicture) {
  constexpr std::size_t kPicture = 192 * 128 * sizeof(float), kScratch = std::size_t{6} << 20;
  const Decoded large = decode({.height = 96, .width = 64});
  EXPECT_LT(large.peak - large.weights, (64 + 32 + 32) * kPicture + kScratch);
  EXPECT_EQ(decode({}).picture, decode({.threads = 1}).picture);
}

TEST(Streaming, GivesTheSameBitsWithLessMemory) {
  const Decoded held = decode({}), streamed = decode({.held = 0}),
                partly = decode({.held = held.weights / 2});
  EXPECT_EQ(held.picture, streamed.picture);
  EXPECT_EQ(held.picture, partly.picture);
  EXPECT_EQ(streamed.weights, 0u);
  EXPECT_GT(partly.weights, held.weights / 4);
  EXPECT_LE(partly.weights, held.weights / 2 + held.weights / 10);
  EXPECT_LT(streamed.peak, held.peak);
}

}  // namespace
}  // namespace mezzo
