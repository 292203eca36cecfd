// The name tables as bijections on the complete key lists of real models, listed here from their
// configurations.
#include "checkpoint/key_maps/key_maps.h"

#include <chrono>
#include <map>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mezzo {
namespace {

using ::testing::ElementsAre;

using List = std::vector<std::string>;

void both(List& list, const std::string& stem) {
  list.push_back(stem + ".weight");
  list.push_back(stem + ".bias");
}

struct Sizes {
  int levels = 4, layers = 2, attention_levels = 3;
};

// Tensors of a residual block in the two layouts, in one order.
void resnet(List& ldm, List& diffusers, const std::string& a, const std::string& b, bool shortcut) {
  const char* pairs[][2] = {
      {"in_layers.0", "norm1"},  {"in_layers.2", "conv1"},  {"emb_layers.1", "time_emb_proj"},
      {"out_layers.0", "norm2"}, {"out_layers.3", "conv2"}, {"skip_connection", "conv_shortcut"}};
  for (const auto& [x, y] : pairs) {
    if (std::string(x) == "skip_connection" && !shortcut) continue;
    both(ldm, a + "." + x);
    both(diffusers, b + "." + y);
  }
}

void attention(List& ldm, List& diffusers, const std::string& a, const std::string& b) {
  List parts;
  for (const auto* s : {"norm", "proj_in", "proj_out"}) both(parts, s);
  const std::string block = "transformer_blocks.0.";
  for (const auto* s :
       {"attn1.to_out.0", "attn2.to_out.0", "ff.net.0.proj", "ff.net.2", "norm1", "norm2", "norm3"})
    both(parts, block + s);
  for (const auto* s : {"attn1", "attn2"})
    for (const auto* q : {"to_q", "to_k", "to_v"}) parts.push_back(block + s + "." + q + ".weight");
  for (const auto& p : parts) {
    ldm.push_back(a + "." + p);
    diffusers.push_back(b + "." + p);
  }
}

// The UNet of SD 1 and 2: input block n holds resnet j of level i with n = (layers + 1) i + j + 1.
void unet_lists(const Sizes& s, List& ldm, List& diffusers) {
  const auto outer = [&](const char* a, const char* b) {
    both(ldm, a);
    both(diffusers, b);
  };
  outer("time_embed.0", "time_embedding.linear_1");
  outer("time_embed.2", "time_embedding.linear_2");
  outer("input_blocks.0.0", "conv_in");
  outer("out.0", "conv_norm_out");
  outer("out.2", "conv_out");
  for (int i = 0; i < s.levels; ++i) {
    const int first = (s.layers + 1) * i + 1;
    for (int j = 0; j < s.layers; ++j) {
      resnet(ldm, diffusers, fmt::format("input_blocks.{}.0", first + j),
             fmt::format("down_blocks.{}.resnets.{}", i, j), j == 0 && (i == 1 || i == 2));
      if (i < s.attention_levels)
        attention(ldm, diffusers, fmt::format("input_blocks.{}.1", first + j),
                  fmt::format("down_blocks.{}.attentions.{}", i, j));
    }
    if (i + 1 < s.levels) {
      both(ldm, fmt::format("input_blocks.{}.0.op", first + s.layers));
      both(diffusers, fmt::format("down_blocks.{}.downsamplers.0.conv", i));
    }
  }
  resnet(ldm, diffusers, "middle_block.0", "mid_block.resnets.0", false);
  attention(ldm, diffusers, "middle_block.1", "mid_block.attentions.0");
  resnet(ldm, diffusers, "middle_block.2", "mid_block.resnets.1", false);
  for (int i = 0; i < s.levels; ++i)
    for (int j = 0; j <= s.layers; ++j) {
      const int n = (s.layers + 1) * i + j;
      const bool attended = i >= s.levels - s.attention_levels;
      resnet(ldm, diffusers, fmt::format("output_blocks.{}.0", n),
             fmt::format("up_blocks.{}.resnets.{}", i, j), true);
      if (attended)
        attention(ldm, diffusers, fmt::format("output_blocks.{}.1", n),
                  fmt::format("up_blocks.{}.attentions.{}", i, j));
      if (j == s.layers && i + 1 < s.levels) {
        both(ldm, fmt::format("output_blocks.{}.{}.conv", n, attended ? 2 : 1));
        both(diffusers, fmt::format("up_blocks.{}.upsamplers.0.conv", i));
      }
    }
}

void vae_lists(const Sizes& s, List& ldm, List& diffusers) {
  const auto outer = [&](const std::string& a, const std::string& b) {
    both(ldm, a);
    both(diffusers, b);
  };
  const auto block = [&](const std::string& a, const std::string& b, bool shortcut) {
    for (const auto* p : {"norm1", "conv1", "norm2", "conv2"}) outer(a + "." + p, b + "." + p);
    if (shortcut) outer(a + ".nin_shortcut", b + ".conv_shortcut");
  };
  outer("quant_conv", "quant_conv");
  outer("post_quant_conv", "post_quant_conv");
  for (const std::string half : {"encoder.", "decoder."}) {
    outer(half + "conv_in", half + "conv_in");
    outer(half + "conv_out", half + "conv_out");
    outer(half + "norm_out", half + "conv_norm_out");
    block(half + "mid.block_1", half + "mid_block.resnets.0", false);
    block(half + "mid.block_2", half + "mid_block.resnets.1", false);
    const char* pairs[][2] = {{"norm", "group_norm"},
                              {"q", "to_q"},
                              {"k", "to_k"},
                              {"v", "to_v"},
                              {"proj_out", "to_out.0"}};
    for (const auto& [a, b] : pairs)
      outer(half + "mid.attn_1." + a, half + "mid_block.attentions.0." + b);
  }
  for (int i = 0; i < s.levels; ++i) {
    for (int j = 0; j < s.layers; ++j)
      block(fmt::format("encoder.down.{}.block.{}", i, j),
            fmt::format("encoder.down_blocks.{}.resnets.{}", i, j), j == 0 && (i == 1 || i == 2));
    for (int j = 0; j <= s.layers; ++j)
      block(fmt::format("decoder.up.{}.block.{}", s.levels - 1 - i, j),
            fmt::format("decoder.up_blocks.{}.resnets.{}", i, j), j == 0 && (i == 2 || i == 3));
    if (i + 1 == s.levels) continue;
    outer(fmt::format("encoder.down.{}.downsample.conv", i),
          fmt::format("encoder.down_blocks.{}.downsamplers.0.conv", i));
    outer(fmt::format("decoder.up.{}.upsample.conv", s.levels - 1 - i),
          fmt::format("decoder.up_blocks.{}.upsamplers.0.conv", i));
  }
}

Names views(const List& list) { return {list.begin(), list.end()}; }

// Every name goes to its partner, and no two to one.
void expect_bijection(const KeyMap& map, const List& from, const List& to) {
  ASSERT_EQ(from.size(), to.size());
  std::set<std::string> seen;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto mapped = map.map(from[i]);
    ASSERT_EQ(mapped.size(), 1u) << from[i];
    EXPECT_EQ(mapped[0].name, to[i]) << from[i];
    EXPECT_TRUE(seen.insert(mapped[0].name).second) << from[i];
  }
}

// A name of a megabyte: as many prefixes as dots, of which only the short ones can be in the map.
TEST(KeyMap, LongNamesTakeLinearTime) {
  KeyMap map;
  map.add("a.a.", "b.");
  std::string name;
  for (int i = 0; i < 500'000; ++i) name += "a.";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(map.map(name).at(0).name.size(), name.size() - 2);
  EXPECT_TRUE(map.map("x." + name).empty());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(KeyMaps, UNetOfStableDiffusion1IsABijection) {
  List ldm, diffusers;
  unet_lists({}, ldm, diffusers);
  EXPECT_EQ(ldm.size(), 686u);  // as many as the published model has
  expect_bijection(ldm_unet_map(views(ldm)), ldm, diffusers);
}

TEST(KeyMaps, UNetsOfOtherDepths) {
  for (const Sizes s :
       {Sizes{2, 1, 1}, Sizes{3, 1, 2}, Sizes{4, 3, 3}, Sizes{5, 2, 3}, Sizes{3, 2, 3}}) {
    List ldm, diffusers;
    unet_lists(s, ldm, diffusers);
    expect_bijection(ldm_unet_map(views(ldm)), ldm, diffusers);
  }
}

TEST(KeyMaps, VaeIsABijection) {
  List ldm, diffusers;
  vae_lists({}, ldm, diffusers);
  EXPECT_EQ(ldm.size(), 248u);
  expect_bijection(ldm_vae_map(views(ldm)), ldm, diffusers);
  for (const Sizes s : {Sizes{2, 1, 0}, Sizes{3, 2, 0}}) {
    List a, b;
    vae_lists(s, a, b);
    expect_bijection(ldm_vae_map(views(a)), a, b);
  }
}

TEST(KeyMaps, VaeAttentionBecomesLinear) {
  const auto q = ldm_vae_map({}).map("encoder.mid.attn_1.q.weight");
  ASSERT_EQ(q.size(), 1u);
  EXPECT_EQ(q[0].transform, Transform::kSqueeze1x1);
  const KeyMap old = diffusers_vae_map({});
  EXPECT_EQ(old.map("decoder.mid_block.attentions.0.proj_attn.bias")[0].name,
            "decoder.mid_block.attentions.0.to_out.0.bias");
  EXPECT_EQ(old.map("decoder.mid_block.attentions.0.query.weight")[0].name,
            "decoder.mid_block.attentions.0.to_q.weight");
  EXPECT_EQ(old.map("decoder.mid_block.attentions.0.to_q.weight")[0].name,
            "decoder.mid_block.attentions.0.to_q.weight");
  EXPECT_EQ(old.map("decoder.conv_in.weight")[0].name, "decoder.conv_in.weight");
}

TEST(KeyMaps, TextEncoderGetsItsPrefix) {
  const KeyMap map = clip_text_map({});
  for (const auto* name :
       {"text_model.encoder.layers.0.mlp.fc1.weight", "encoder.layers.0.mlp.fc1.weight"})
    EXPECT_EQ(map.map(name)[0].name, "text_model.encoder.layers.0.mlp.fc1.weight");
  EXPECT_EQ(map.map("final_layer_norm.bias")[0].name, "text_model.final_layer_norm.bias");
  EXPECT_TRUE(map.map("something.else").empty());
}

TEST(KeyMaps, OpenClipIsSplit) {
  const List names = {"transformer.resblocks.0.ln_1.weight", "transformer.resblocks.1.ln_1.weight"};
  const KeyMap map = open_clip_map(views(names));
  const auto fused = map.map("transformer.resblocks.1.attn.in_proj_bias");
  ASSERT_EQ(fused.size(), 3u);
  EXPECT_EQ(fused[0].name, "text_model.encoder.layers.1.self_attn.q_proj.bias");
  EXPECT_EQ(fused[1].name, "text_model.encoder.layers.1.self_attn.k_proj.bias");
  EXPECT_EQ(fused[2].name, "text_model.encoder.layers.1.self_attn.v_proj.bias");
  EXPECT_EQ(fused[2].transform, Transform::kThird);
  EXPECT_EQ(map.map("transformer.resblocks.0.mlp.c_proj.weight")[0].name,
            "text_model.encoder.layers.0.mlp.fc2.weight");
  EXPECT_EQ(map.map("text_projection")[0].transform, Transform::kTranspose);
  EXPECT_EQ(map.map("positional_embedding")[0].name,
            "text_model.embeddings.position_embedding.weight");
  const KeyMap sd2 = open_clip_sd2_map(views(names));  // SD 2 stops before the last layer
  EXPECT_EQ(sd2.map("transformer.resblocks.0.ln_1.weight").size(), 1u);
  EXPECT_TRUE(sd2.map("transformer.resblocks.1.ln_1.weight").empty());
}

// Stable Diffusion 3.5 Medium: 24 blocks, the first 13 with a second attention.
TEST(KeyMaps, TransformerOfStableDiffusion3IsABijection) {
  constexpr int kBlocks = 24, kDual = 13;
  std::map<std::string, List> expected;  // in the authors' names -> in diffusers'
  const auto both_of = [&](const std::string& from, const List& to) {
    for (const std::string part : {".weight", ".bias"})
      for (const auto& name : to) expected[from + part].push_back(name + part);
  };
  const auto norm = [&](const std::string& from, const std::string& to) {
    expected[from + ".weight"] = {to + ".weight"};
  };
  expected["pos_embed"] = {"pos_embed.pos_embed"};
  both_of("x_embedder.proj", {"pos_embed.proj"});
  both_of("context_embedder", {"context_embedder"});
  both_of("t_embedder.mlp.0", {"time_text_embed.timestep_embedder.linear_1"});
  both_of("t_embedder.mlp.2", {"time_text_embed.timestep_embedder.linear_2"});
  both_of("y_embedder.mlp.0", {"time_text_embed.text_embedder.linear_1"});
  both_of("y_embedder.mlp.2", {"time_text_embed.text_embedder.linear_2"});
  both_of("final_layer.linear", {"proj_out"});
  both_of("final_layer.adaLN_modulation.1", {"norm_out.linear"});
  for (int i = 0; i < kBlocks; ++i) {
    const auto x = fmt::format("joint_blocks.{}.x_block.", i);
    const auto c = fmt::format("joint_blocks.{}.context_block.", i);
    const auto to = fmt::format("transformer_blocks.{}.", i);
    for (const std::string attn : {"attn", "attn2"}) {
      if (attn == "attn2" && i >= kDual) continue;
      both_of(x + attn + ".qkv", {to + attn + ".to_q", to + attn + ".to_k", to + attn + ".to_v"});
      both_of(x + attn + ".proj", {to + attn + ".to_out.0"});
      norm(x + attn + ".ln_q", to + attn + ".norm_q");
      norm(x + attn + ".ln_k", to + attn + ".norm_k");
    }
    both_of(x + "mlp.fc1", {to + "ff.net.0.proj"});
    both_of(x + "mlp.fc2", {to + "ff.net.2"});
    both_of(x + "adaLN_modulation.1", {to + "norm1.linear"});
    both_of(c + "attn.qkv",
            {to + "attn.add_q_proj", to + "attn.add_k_proj", to + "attn.add_v_proj"});
    norm(c + "attn.ln_q", to + "attn.norm_added_q");
    norm(c + "attn.ln_k", to + "attn.norm_added_k");
    both_of(c + "adaLN_modulation.1", {to + "norm1_context.linear"});
    if (i + 1 == kBlocks) continue;
    both_of(c + "attn.proj", {to + "attn.to_add_out"});
    both_of(c + "mlp.fc1", {to + "ff_context.net.0.proj"});
    both_of(c + "mlp.fc2", {to + "ff_context.net.2"});
  }
  List names;
  for (const auto& [name, to] : expected) names.push_back(name);
  const KeyMap map = sd3_map(views(names));
  std::set<std::string> seen;
  for (const auto& [name, to] : expected) {
    const auto mapped = map.map(name);
    ASSERT_EQ(mapped.size(), to.size()) << name;
    for (std::size_t i = 0; i < to.size(); ++i) {
      EXPECT_EQ(mapped[i].name, to[i]);
      EXPECT_TRUE(seen.insert(mapped[i].name).second) << name;
      // Shift and scale change places where diffusers has the scale first.
      const bool swapped = name.starts_with("final_layer.adaLN") ||
                           name.starts_with("joint_blocks.23.context_block.adaLN");
      EXPECT_EQ(mapped[i].transform == Transform::kSwapHalves, swapped) << name;
    }
    if (to.size() == 3) {
      EXPECT_EQ(mapped[1].transform, Transform::kSecond);
    }
  }
  EXPECT_TRUE(map.map("joint_blocks.24.x_block.attn.proj.weight").empty());
  EXPECT_TRUE(map.map("joint_blocks.23.context_block.mlp.fc1.weight").empty());
}

TEST(KeyMaps, T5OfLlamaCpp) {
  const List names = {"enc.blk.0.attn_q.weight", "enc.blk.1.ffn_up.weight"};
  const KeyMap map = t5_gguf_map(views(names));
  const std::map<std::string, std::string> expected = {
      {"token_embd.weight", "shared.weight"},
      {"enc.output_norm.weight", "encoder.final_layer_norm.weight"},
      {"enc.blk.0.attn_rel_b.weight",
       "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"},
      {"enc.blk.1.attn_q.weight", "encoder.block.1.layer.0.SelfAttention.q.weight"},
      {"enc.blk.1.attn_o.weight", "encoder.block.1.layer.0.SelfAttention.o.weight"},
      {"enc.blk.1.attn_norm.weight", "encoder.block.1.layer.0.layer_norm.weight"},
      {"enc.blk.1.ffn_gate.weight", "encoder.block.1.layer.1.DenseReluDense.wi_0.weight"},
      {"enc.blk.1.ffn_up.weight", "encoder.block.1.layer.1.DenseReluDense.wi_1.weight"},
      {"enc.blk.1.ffn_down.weight", "encoder.block.1.layer.1.DenseReluDense.wo.weight"},
      {"enc.blk.1.ffn_norm.weight", "encoder.block.1.layer.1.layer_norm.weight"}};
  for (const auto& [from, to] : expected) {
    const auto mapped = map.map(from);
    ASSERT_EQ(mapped.size(), 1u) << from;
    EXPECT_EQ(mapped[0].name, to);
  }
  EXPECT_TRUE(map.map("enc.blk.2.attn_q.weight").empty());
  EXPECT_TRUE(map.map("dec.blk.0.attn_q.weight").empty());
}

TEST(KeyMaps, UnknownNamesStayUnknown) {
  List ldm, diffusers;
  unet_lists({}, ldm, diffusers);
  const KeyMap map = ldm_unet_map(views(ldm));
  for (const auto* name :
       {"", ".", "..", "input_blocks", "input_blocks.", "input_blocks.99.0.in_layers.0.weight",
        "input_blocks.1.0.other.weight", "input_blocks.-1.0.in_layers.0.weight",
        "input_blocks.99999999999.0.op.weight", "nothing"})
    EXPECT_TRUE(map.map(name).empty()) << name;
}

TEST(KeyMaps, NamesWithoutDotsAreUnambiguous) {
  List ldm, diffusers;
  unet_lists({}, ldm, diffusers);
  std::map<std::string, std::string> plain;
  for (const auto& name : possible_ldm_unet_names()) {
    std::string s = name;
    std::erase(s, '.');
    EXPECT_TRUE(plain.emplace(s, name).second) << name << " and " << plain[s];
  }
  for (const auto& name : ldm) {
    std::string s = name;
    std::erase(s, '.');
    EXPECT_EQ(plain[s], name);
  }
}

}  // namespace
}  // namespace mezzo
