// What the recorded networks of tests/golden do not show: configs and files that cannot be, sizes
// told from tensors, the middle of the position table, layers that are left out.
#include "models/mmdit/mmdit.h"

#include <algorithm>
#include <cmath>
#include <cstring>
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

MMDiTConfig small(std::int64_t layers = 3) {
  MMDiTConfig c;
  c.in_channels = c.out_channels = 4;
  c.num_layers = layers;
  c.num_attention_heads = 2;
  c.attention_head_dim = 8;
  c.joint_attention_dim = 12;
  c.pooled_projection_dim = 10;
  c.pos_embed_max_size = 6;
  c.dual_attention.assign(static_cast<std::size_t>(layers), false);
  c.dual_attention[0] = true;
  c.qk_norm = true;
  return c;
}

/// A network of random weights. `seed_of` gives the name that a tensor's numbers come from.
class RandomMMDiT final : public TensorSource {
 public:
  using SeedOf = std::string (*)(const std::string& name);
  explicit RandomMMDiT(
      const MMDiTConfig& c, SeedOf seed_of = [](const std::string& name) { return name; })
      : seed_of_(seed_of), side_(c.pos_embed_max_size) {
    const auto D = c.width(), p = c.patch_size;
    add("pos_embed.pos_embed", {1, side_ * side_, D});
    add("pos_embed.proj.weight", {D, c.in_channels, p, p});
    add("pos_embed.proj.bias", {D});
    linear("context_embedder", c.joint_attention_dim, D);
    linear("time_text_embed.timestep_embedder.linear_1", 256, D);
    linear("time_text_embed.timestep_embedder.linear_2", D, D);
    linear("time_text_embed.text_embedder.linear_1", c.pooled_projection_dim, D);
    linear("time_text_embed.text_embedder.linear_2", D, D);
    linear("norm_out.linear", D, 2 * D);
    linear("proj_out", D, p * p * c.out_channels);
    for (std::int64_t i = 0; i < c.num_layers; ++i) block(c, i);
    std::ranges::sort(tensors_, {}, &TensorInfo::name);
  }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  void read(std::size_t index, std::span<std::byte> out) const override {
    const auto& t = tensors_[index];
    std::vector<float> values(out.size() / sizeof(float));
    if (t.name == "pos_embed.pos_embed") {
      // By the place relative to the middle: tables of all sizes agree where they overlap.
      const auto D = t.shape[2];
      for (std::int64_t i = 0; i < t.shape.numel(); ++i) {
        const auto row = i / D / side_ - side_ / 2, column = i / D % side_ - side_ / 2;
        values[static_cast<std::size_t>(i)] =
            std::sin(static_cast<float>(3 * row + 7 * column + i % D));
      }
    } else {
      std::mt19937 random(static_cast<unsigned>(std::hash<std::string>()(seed_of_(t.name))));
      std::normal_distribution<float> normal(0, 0.3f);
      for (auto& v : values) v = normal(random);
    }
    std::memcpy(out.data(), values.data(), out.size());
  }
  std::string origin() const override { return "random.safetensors"; }

  void drop(const std::string& name) {
    std::erase_if(tensors_, [&](const TensorInfo& t) { return t.name == name; });
  }

 private:
  void add(const std::string& name, const Shape& shape) {
    tensors_.push_back({name, DType::kF32, shape});
  }
  void linear(const std::string& name, std::int64_t in, std::int64_t out) {
    add(name + ".weight", {out, in});
    add(name + ".bias", {out});
  }
  void block(const MMDiTConfig& c, std::int64_t i) {
    const auto D = c.width();
    const auto at = fmt::format("transformer_blocks.{}.", i);
    const bool dual = c.dual_attention[static_cast<std::size_t>(i)], last = i + 1 == c.num_layers;
    linear(at + "norm1.linear", D, (dual ? 9 : 6) * D);
    linear(at + "norm1_context.linear", D, (last ? 2 : 6) * D);
    for (const char* name : {"to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj",
                             "add_v_proj", "to_add_out"})
      if (!last || name != std::string_view("to_add_out")) linear(at + "attn." + name, D, D);
    for (const char* name : {"norm_q", "norm_k", "norm_added_q", "norm_added_k"})
      add(at + "attn." + name + ".weight", {c.attention_head_dim});
    for (const char* name : {"to_q", "to_k", "to_v", "to_out.0"})
      if (dual) linear(at + "attn2." + name, D, D);
    for (const char* name : {"norm_q", "norm_k"})
      if (dual) add(at + "attn2." + name + ".weight", {c.attention_head_dim});
    for (const char* name : {"ff", "ff_context"}) {
      if (last && name == std::string_view("ff_context")) continue;
      linear(at + name + ".net.0.proj", D, 4 * D);
      linear(at + name + ".net.2", 4 * D, D);
    }
  }

  std::vector<TensorInfo> tensors_;
  SeedOf seed_of_;
  std::int64_t side_;
};

Tensor random_input(Backend& backend, const Shape& shape, unsigned seed) {
  Tensor t(host(), DType::kF32, shape);
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (std::int64_t i = 0; i < t.numel(); ++i) t.data<float>()[i] = normal(random);
  return backend.upload(t);
}

std::vector<float> result(const MMDiTConfig& c, std::shared_ptr<const TensorSource> source,
                          const std::vector<std::int64_t>& skipped = {}) {
  const auto backend = make_cpu_backend();
  const Weights w(std::move(source), *backend, Precision::kF32, "transformer");
  const MMDiT mmdit(w, c);
  EXPECT_THAT(w.finish(), IsEmpty());
  const std::vector<double> times(2, 700);
  const Tensor out =
      backend->download(mmdit(random_input(*backend, {2, 4, 8, c.in_channels}, 1), times,
                              {.tokens = random_input(*backend, {2, 5, c.joint_attention_dim}, 2),
                               .pooled = random_input(*backend, {2, c.pooled_projection_dim}, 3)},
                              skipped));
  EXPECT_EQ(out.shape(), (Shape{2, 4, 8, c.out_channels}));
  return {out.data<float>(), out.data<float>() + out.numel()};
}

json small_json() {
  return {{"in_channels", 4},
          {"num_layers", 3},
          {"num_attention_heads", 2},
          {"attention_head_dim", 8},
          {"joint_attention_dim", 12},
          {"pooled_projection_dim", 10},
          {"pos_embed_max_size", 6},
          {"caption_projection_dim", 16},
          {"dual_attention_layers", {0}},
          {"qk_norm", "rms_norm"}};
}

TEST(MMDiT, SizesAreToldFromTensors) {
  const auto parsed = MMDiTConfig::parse(small_json(), "config.json"),
             told = MMDiTConfig::detect(RandomMMDiT(small()));
  for (const auto field :
       {&MMDiTConfig::in_channels, &MMDiTConfig::out_channels, &MMDiTConfig::patch_size,
        &MMDiTConfig::num_layers, &MMDiTConfig::num_attention_heads,
        &MMDiTConfig::attention_head_dim, &MMDiTConfig::joint_attention_dim,
        &MMDiTConfig::pooled_projection_dim, &MMDiTConfig::pos_embed_max_size})
    EXPECT_EQ(told.*field, parsed.*field);
  EXPECT_EQ(told.dual_attention, parsed.dual_attention);
  EXPECT_EQ(told.qk_norm, parsed.qk_norm);
}

TEST(MMDiT, ConfigsThatCannotBeAreRefused) {
  const std::pair<const char*, json> bad[] = {{"num_layers", 0},
                                              {"num_attention_heads", -1},
                                              {"attention_head_dim", 1 << 20},
                                              {"qk_norm", "layer_norm"},
                                              {"caption_projection_dim", 8},
                                              {"dual_attention_layers", {3}},
                                              {"dual_attention_layers", 1.5},
                                              {"patch_size", 0},
                                              {"pos_embed_max_size", 1 << 30}};
  for (const auto& [field, value] : bad) {
    json j = small_json();
    j[field] = value;
    EXPECT_THAT([&] { MMDiTConfig::parse(j, "config.json"); },
                ThrowsMessage<LoadError>(HasSubstr("config.json")))
        << field << " = " << value;
  }
  EXPECT_THROW(MMDiTConfig::parse(json::array(), "config.json"), LoadError);
}

TEST(MMDiT, IncompleteFilesAreRefused) {
  for (const char* name : {"pos_embed.proj.weight", "pos_embed.pos_embed", "proj_out.weight",
                           "context_embedder.weight", "transformer_blocks.0.attn.to_q.weight",
                           "time_text_embed.text_embedder.linear_1.weight"}) {
    RandomMMDiT source(small());
    source.drop(name);
    EXPECT_THROW(MMDiTConfig::detect(source), LoadError) << name;
  }
}

TEST(MMDiT, PositionsAreTheMiddleOfTheTable) {
  MMDiTConfig c = small();
  const auto from_middle = result(c, std::make_shared<RandomMMDiT>(c));
  c.pos_embed_max_size = 4;  // the same numbers around the middle
  EXPECT_EQ(result(c, std::make_shared<RandomMMDiT>(c)), from_middle);
  c.pos_embed_max_size = 3;
  EXPECT_THAT([&] { result(c, std::make_shared<RandomMMDiT>(c)); },
              ThrowsMessage<UsageError>(HasSubstr("choose a smaller size")));
}

TEST(MMDiT, ASkippedLayerIsAsIfItWereNotThere) {
  const auto skipped = result(small(3), std::make_shared<RandomMMDiT>(small(3)), {1});
  const auto shorter =
      std::make_shared<RandomMMDiT>(small(2), [](const std::string& name) -> std::string {
        const std::string_view last = "transformer_blocks.1.";
        return name.starts_with(last) ? "transformer_blocks.2." + name.substr(last.size()) : name;
      });
  EXPECT_EQ(skipped, result(small(2), shorter));
  EXPECT_NE(skipped, result(small(3), std::make_shared<RandomMMDiT>(small(3))));
}

}  // namespace
}  // namespace mezzo
