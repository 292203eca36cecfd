#include "checkpoint/layouts.h"

#include <array>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/key_mapped_source.h"
#include "checkpoint/make_files.h"

namespace mezzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::shared_ptr<const TensorSource> made(std::map<std::string, Shape> shapes) {
  return std::make_shared<test::MadeSource>(std::move(shapes));
}

std::vector<float> values(const TensorSource& s, const std::string& name) {
  const Tensor t = s.load(name);
  return {t.data<float>(), t.data<float>() + t.numel()};
}

// The least that makes an LDM UNet.
const std::map<std::string, Shape> kUNet = {
    {"model.diffusion_model.output_blocks.0.0.in_layers.0.weight", {4}},
    {"model.diffusion_model.input_blocks.0.0.weight", {4, 4, 3, 3}}};

std::map<std::string, Shape> with_unet(std::map<std::string, Shape> more) {
  more.insert(kUNet.begin(), kUNet.end());
  return more;
}

TEST(KeyMappedSource, TransformsValues) {
  const auto s = made({{"m", {2, 3}}, {"q", {6, 1}}, {"sq", {2, 2, 1, 1}}});
  const KeyMappedSource mapped(s, {{"t", 0, Transform::kTranspose},
                                   {"a", 1, Transform::kFirst},
                                   {"b", 1, Transform::kSecond},
                                   {"c", 1, Transform::kThird},
                                   {"linear", 2, Transform::kSqueeze1x1}});
  EXPECT_THAT(values(mapped, "t"), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_EQ(mapped.load("t").shape(), (Shape{3, 2}));
  EXPECT_THAT(values(mapped, "a"), ElementsAre(1000, 1001));
  EXPECT_THAT(values(mapped, "b"), ElementsAre(1002, 1003));
  EXPECT_THAT(values(mapped, "c"), ElementsAre(1004, 1005));
  EXPECT_EQ(mapped.load("linear").shape(), (Shape{2, 2}));
  const KeyMappedSource swapped(s, {{"s", 0, Transform::kSwapHalves}});
  EXPECT_THAT(values(swapped, "s"), ElementsAre(3, 4, 5, 0, 1, 2));
  EXPECT_THROW(KeyMappedSource(made({{"m", {3, 2}}}), {{"s", 0, Transform::kSwapHalves}}),
               LoadError);
  EXPECT_THROW(KeyMappedSource(s, {{"x", 0, Transform::kNone}, {"x", 1, Transform::kNone}}),
               LoadError);
  EXPECT_THROW(KeyMappedSource(s, {{"x", 0, Transform::kFirst}}), LoadError);
  EXPECT_THROW(KeyMappedSource(s, {{"x", 2, Transform::kTranspose}}), LoadError);
}

TEST(Layouts, JunkIsDroppedAndTheUnknownListed) {
  const auto found =
      find_networks(made(with_unet({{"betas", {10}},
                                    {"model_ema.decay", {}},
                                    {"model_ema.num_updates", {}},
                                    {"my.own.tensor", {3}},
                                    {"model.diffusion_model.strange.weight", {1}}})));
  EXPECT_EQ(found.components.size(), 1u);
  EXPECT_EQ(found.naming, "LDM");
  EXPECT_THAT(found.unknown, ElementsAre("model.diffusion_model.strange.weight", "my.own.tensor"));
}

TEST(Layouts, OrdinaryWeightsWinOverAveragedOnes) {
  const auto found = find_networks(
      made(with_unet({{"model_ema.diffusion_modelinput_blocks00weight", {4, 4, 3, 3}}})));
  EXPECT_THAT(found.unknown, IsEmpty());
  EXPECT_EQ(values(*found.components.at("unet"), "conv_in.weight")[0],
            0);  // the first tensor of the file
}

TEST(Layouts, AveragedWeightsAloneAreUsed) {
  const auto whole = find_networks(
      made({{"model_ema.decay", {}},
            {"model_ema.diffusion_modelinput_blocks00weight", {4, 4, 3, 3}},
            {"model_ema.diffusion_modelinput_blocks11transformer_blocks0attn1to_qweight", {4, 4}},
            {"model_ema.diffusion_modeloutput_blocks00in_layers0weight", {4}}}));
  ASSERT_TRUE(whole.components.contains("unet"));
  const auto& unet = *whole.components.at("unet");
  EXPECT_TRUE(unet.has("conv_in.weight"));
  EXPECT_TRUE(unet.has("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"));
  EXPECT_THAT(whole.unknown, IsEmpty());
}

TEST(Layouts, TextEncodersOfEveryLayout) {
  const std::string canonical = "text_model.encoder.layers.0.mlp.fc1.weight";
  for (const auto* prefix :
       {"cond_stage_model.transformer.text_model.", "cond_stage_model.transformer.",
        "text_encoder.text_model.", "text_encoder."}) {
    const auto found = find_networks(
        made(with_unet({{std::string(prefix) + "encoder.layers.0.mlp.fc1.weight", {4, 2}},
                        {std::string(prefix) + "embeddings.position_ids", {1, 77}}})));
    ASSERT_TRUE(found.components.contains("text_encoder")) << prefix;
    EXPECT_EQ(found.components.at("text_encoder")->tensors().size(), 1u);
    EXPECT_TRUE(found.components.at("text_encoder")->has(canonical)) << prefix;
    EXPECT_THAT(found.unknown, IsEmpty());
  }
}

TEST(Layouts, OpenClipOfStableDiffusion2) {
  const std::string p = "cond_stage_model.model.";
  const auto found =
      find_networks(made(with_unet({{p + "transformer.resblocks.0.attn.in_proj_weight", {6, 2}},
                                    {p + "transformer.resblocks.1.attn.in_proj_weight", {6, 2}},
                                    {p + "ln_final.weight", {2}},
                                    {p + "text_projection", {2, 2}},
                                    {p + "logit_scale", {}}})));
  std::vector<std::string> names;
  for (const auto& t : found.components.at("text_encoder")->tensors()) names.push_back(t.name);
  EXPECT_THAT(names, ElementsAre("text_model.encoder.layers.0.self_attn.k_proj.weight",
                                 "text_model.encoder.layers.0.self_attn.q_proj.weight",
                                 "text_model.encoder.layers.0.self_attn.v_proj.weight",
                                 "text_model.final_layer_norm.weight"));
  EXPECT_THAT(found.unknown, IsEmpty());
}

TEST(KeyMappedSource, PartsAreReadThroughTransforms) {
  const auto s = made({{"m", {6, 2}}});
  const KeyMappedSource mapped(s, {{"plain", 0, Transform::kNone},
                                   {"second", 0, Transform::kSecond},
                                   {"swapped", 0, Transform::kSwapHalves},
                                   {"turned", 0, Transform::kTranspose}});
  for (std::size_t i = 0; i < mapped.tensors().size(); ++i) {
    const auto all = values(mapped, mapped.tensors()[i].name);
    std::array<float, 2> part{};
    mapped.read_part(i, 4, std::as_writable_bytes(std::span(part)));
    EXPECT_THAT(part, ElementsAre(all[1], all[2])) << mapped.tensors()[i].name;
  }
}

TEST(Layouts, StableDiffusion3) {
  const std::string block = "joint_blocks.0.x_block.attn.proj.weight",
                    clip = "text_model.final_layer_norm.weight",
                    t5 = "encoder.block.0.layer.0.layer_norm.weight";
  const auto whole =
      find_networks(made({{"model.diffusion_model." + block, {4, 4}},
                          {"model.diffusion_model.pos_embed", {1, 4, 4}},
                          {"first_stage_model.decoder.up.0.block.0.norm1.weight", {4}},
                          {"text_encoders.clip_l.transformer." + clip, {4}},
                          {"text_encoders.clip_l.logit_scale", {}},
                          {"text_encoders.clip_g.transformer." + clip, {5}},
                          {"text_encoders.t5xxl.transformer." + t5, {6}}}));
  EXPECT_EQ(whole.naming, "SD3");
  EXPECT_THAT(whole.unknown, IsEmpty());
  EXPECT_TRUE(whole.components.at("transformer")->has("transformer_blocks.0.attn.to_out.0.weight"));
  EXPECT_TRUE(whole.components.at("transformer")->has("pos_embed.pos_embed"));
  EXPECT_EQ(whole.components.at("text_encoder")->tensors()[0].shape[0], 4);
  EXPECT_EQ(whole.components.at("text_encoder_2")->tensors()[0].shape[0], 5);
  EXPECT_TRUE(whole.components.at("text_encoder_3")->has(t5));
  EXPECT_TRUE(whole.components.contains("vae"));

  for (const auto& [name, component] :
       std::map<std::string, std::string>{{block, "transformer"},
                                          {"transformer.pos_embed.pos_embed", "transformer"},
                                          {"pos_embed.pos_embed", "transformer"},
                                          {t5, "text_encoder_3"},
                                          {"enc.blk.0.attn_q.weight", "text_encoder_3"}}) {
    const auto alone = find_networks(made({{name, {4, 4}}}));
    ASSERT_EQ(alone.components.size(), 1u) << name;
    EXPECT_EQ(alone.components.begin()->first, component) << name;
  }
}

TEST(Layouts, ForeignFilesAreNamed) {
  const auto kind = [](const char* name, Shape shape = {4, 4}) -> std::string {
    const auto* k = foreign_kind(*made({{name, shape}}));
    return k ? std::string(k->kind) : "";
  };
  EXPECT_EQ(kind("lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight"), "LoRA");
  EXPECT_EQ(kind("unet.down_blocks.0.attentions.0.to_q.lora_A.weight"), "LoRA");
  EXPECT_EQ(kind("control_model.input_blocks.0.0.weight"), "ControlNet");
  EXPECT_EQ(kind("model.diffusion_model.double_blocks.0.img_attn.qkv.weight"), "FLUX model");
  EXPECT_EQ(kind("string_to_param.*", {1, 768}), "textual inversion embedding");
  EXPECT_EQ(kind("<birb-style>", {768}), "textual inversion embedding");
  EXPECT_EQ(kind("layer.weight"), "");
}

}  // namespace
}  // namespace mezzo
