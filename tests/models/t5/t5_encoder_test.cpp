// What the recorded network of tests/golden does not show: configs and files that cannot be, sizes
// told from tensors, numbers beyond the range of 16 bits.
#include "models/t5/t5_encoder.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "mezzotint/errors.h"

namespace mezzo {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

const T5EncoderConfig kSmall = {
    .vocab_size = 20, .d_model = 16, .d_kv = 4, .num_heads = 2, .d_ff = 24, .num_layers = 2};

/// An encoder with random weights, times `scale` in the feed-forward layers.
class RandomT5 final : public TensorSource {
 public:
  explicit RandomT5(const T5EncoderConfig& c, float scale = 1) : scale_(scale) {
    const auto add = [&](const std::string& name, const Shape& shape) {
      tensors_.push_back({name, DType::kF32, shape});
    };
    add("shared.weight", {c.vocab_size, c.d_model});
    add("encoder.final_layer_norm.weight", {c.d_model});
    for (std::int64_t i = 0; i < c.num_layers; ++i) {
      const std::string layer = fmt::format("encoder.block.{}.layer.", i);
      if (i == 0)
        add(layer + "0.SelfAttention.relative_attention_bias.weight",
            {c.relative_attention_num_buckets, c.num_heads});
      for (const char* name : {"q", "k", "v"})
        add(layer + "0.SelfAttention." + name + ".weight", {c.num_heads * c.d_kv, c.d_model});
      add(layer + "0.SelfAttention.o.weight", {c.d_model, c.num_heads * c.d_kv});
      add(layer + "0.layer_norm.weight", {c.d_model});
      for (const char* name : {"wi_0", "wi_1"})
        add(layer + "1.DenseReluDense." + name + ".weight", {c.d_ff, c.d_model});
      add(layer + "1.DenseReluDense.wo.weight", {c.d_model, c.d_ff});
      add(layer + "1.layer_norm.weight", {c.d_model});
    }
    sort();
  }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void read(std::size_t index, std::span<std::byte> out) const override {
    const std::string& name = tensors_[index].name;
    // The same values whatever the embedding is called.
    std::mt19937 random(static_cast<unsigned>(
        std::hash<std::string>()(name == "encoder.embed_tokens.weight" ? "shared.weight" : name)));
    std::normal_distribution<float> normal(0, 0.3f);
    const float scale = name.find("DenseReluDense") == std::string::npos ? 1 : scale_;
    auto* values = reinterpret_cast<float*>(out.data());
    std::generate_n(values, out.size() / sizeof(float), [&] { return scale * normal(random); });
  }
  std::string origin() const override { return "t5.safetensors"; }

  void rename(const std::string& from, const std::string& to) {
    std::ranges::find(tensors_, from, &TensorInfo::name)->name = to;
    sort();
  }
  void copy(const std::string& from, const std::string& to) {
    tensors_.push_back(*std::ranges::find(tensors_, from, &TensorInfo::name));
    tensors_.back().name = to;
    sort();
  }
  void remove(const std::string& name) {
    std::erase_if(tensors_, [&](const TensorInfo& t) { return t.name == name; });
  }

 private:
  void sort() { std::ranges::sort(tensors_, {}, &TensorInfo::name); }
  float scale_;
  std::vector<TensorInfo> tensors_;
};

struct Encoded {
  std::vector<float> values;
  std::vector<std::string> unused;
};

Encoded run(const RandomT5& tensors, Precision precision = Precision::kF32, bool visible = true) {
  const auto backend = make_cpu_backend();
  const Weights w(std::make_shared<RandomT5>(tensors), *backend, precision, "t5");
  const T5Encoder t5(w, kSmall);
  Tensor ids(host(), DType::kI32, {2, 7}), mask(host(), DType::kI32, {2, 7});
  for (int i = 0; i < 14; ++i) {
    ids.data<std::int32_t>()[i] = i * 3 % 20;
    mask.data<std::int32_t>()[i] = visible;
  }
  const Tensor out = backend->download(t5(ids, mask));
  return {{out.data<float>(), out.data<float>() + out.numel()}, w.finish()};
}

TEST(T5Encoder, ParsesItsConfig) {
  const auto c =
      T5EncoderConfig::parse(json::parse(R"({"d_model": 4096, "d_kv": 64, "num_heads": 64,
      "d_ff": 10240, "num_layers": 24, "vocab_size": 32128, "feed_forward_proj": "gated-gelu"})"),
                             "config.json");
  EXPECT_EQ(c.d_model, 4096);
  EXPECT_EQ(c.relative_attention_num_buckets, 32);
  EXPECT_EQ(c.relative_attention_max_distance, 128);
  EXPECT_EQ(c.dense_act_fn, Activation::kGeluTanh);
}

TEST(T5Encoder, RefusesConfigsThatCannotBe) {
  for (const auto* fields :
       {R"("feed_forward_proj": "relu")", R"("x": 1)",
        R"("feed_forward_proj": "gated-gelu", "num_layers": 0)",
        R"("feed_forward_proj": "gated-gelu", "num_heads": 1024, "d_kv": 65536)",
        R"("feed_forward_proj": "gated-gelu", "relative_attention_num_buckets": 2)",
        R"("feed_forward_proj": "gated-gelu", "relative_attention_max_distance": 8)",
        R"("feed_forward_proj": "gated-gelu", "d_model": "wide")"})
    EXPECT_THAT(
        [&] {
          T5EncoderConfig::parse(json::parse("{" + std::string(fields) + "}"), "config.json");
        },
        ThrowsMessage<LoadError>(HasSubstr("config.json: ")))
        << fields;
}

TEST(T5Encoder, SizesAreToldFromTensors) {
  RandomT5 tensors(kSmall);
  for (int i = 0; i < 2; ++i) {
    const auto c = T5EncoderConfig::detect(tensors);
    EXPECT_EQ(c.vocab_size, kSmall.vocab_size);
    EXPECT_EQ(c.d_model, kSmall.d_model);
    EXPECT_EQ(c.d_kv, kSmall.d_kv);
    EXPECT_EQ(c.num_heads, kSmall.num_heads);
    EXPECT_EQ(c.d_ff, kSmall.d_ff);
    EXPECT_EQ(c.num_layers, kSmall.num_layers);
    if (i == 0) tensors.rename("shared.weight", "encoder.embed_tokens.weight");
  }
  for (const char* name :
       {"encoder.embed_tokens.weight", "encoder.block.0.layer.0.SelfAttention.q.weight",
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        "encoder.block.0.layer.1.DenseReluDense.wi_0.weight"}) {
    RandomT5 incomplete = tensors;
    incomplete.remove(name);
    EXPECT_THAT([&] { T5EncoderConfig::detect(incomplete); },
                ThrowsMessage<LoadError>(HasSubstr("has no T5 encoder tensor")))
        << name;
  }
}

TEST(T5Encoder, TheEmbeddingHasEitherName) {
  const RandomT5 shared(kSmall);
  const Encoded expected = run(shared);
  EXPECT_THAT(expected.unused, IsEmpty());
  RandomT5 renamed = shared, both = shared;
  renamed.rename("shared.weight", "encoder.embed_tokens.weight");
  both.copy("shared.weight", "encoder.embed_tokens.weight");
  for (const auto& tensors : {renamed, both}) {
    const Encoded actual = run(tensors);
    EXPECT_EQ(actual.values, expected.values);
    EXPECT_THAT(actual.unused, IsEmpty());
  }
  RandomT5 neither = shared;
  neither.remove("shared.weight");
  EXPECT_THAT([&] { run(neither); }, ThrowsMessage<LoadError>(HasSubstr("t5.shared.weight")));
}

// The feed-forward layers of T5-XXL leave the range of float16 (65504), which is why 16 bits are
// for weights and products only, never for what is between layers.
TEST(T5Encoder, SixteenBitWeightsDoNotOverflow) {
  const Encoded exact = run(RandomT5(kSmall, 400)),
                sixteen = run(RandomT5(kSmall, 400), Precision::kBF16);
  for (std::size_t i = 0; i < exact.values.size(); ++i) {
    ASSERT_TRUE(std::isfinite(exact.values[i]));
    EXPECT_NEAR(sixteen.values[i], exact.values[i], 3e-2);
  }
}

TEST(T5Encoder, ARowWithoutAnyVisibleTokenIsAnAverage) {
  for (const float value : run(RandomT5(kSmall), Precision::kF32, false).values)
    ASSERT_TRUE(std::isfinite(value));
}

}  // namespace
}  // namespace mezzo
