// What people give in place of a model, and what they are told.
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/bundle.h"
#include "checkpoint/inspect.h"
#include "checkpoint/make_files.h"
#include "checkpoint/require.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

using test::MadeSource;
using ::testing::HasSubstr;
using namespace std::string_literals;

class OpenModelTest : public ::testing::Test {
 protected:
  std::string problem(const fs::path& path, const OpenOptions& options = {}) {
    return test::message_of([&] { open_model(path, options); });
  }
  std::string problem_of_bytes(const std::string& bytes) {
    return problem(test::write_file(folder_ / "model.safetensors", bytes));
  }
  fs::path weights(const std::string& name, std::map<std::string, Shape> shapes) {
    fs::create_directories((folder_ / name).parent_path());
    return test::write_safetensors(folder_ / name, MadeSource(std::move(shapes)));
  }
  fs::path unet_file() {
    return weights(
        "unet.safetensors",
        {{"model.diffusion_model.output_blocks.0.0.in_layers.0.weight", {4}},
         {"model.diffusion_model.input_blocks.0.0.weight", {4, 9, 3, 3}},
         {"model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
          {4, 768}}});
  }
  fs::path vae_file() {
    return weights("vae.safetensors", {{"decoder.up.0.block.0.norm1.weight", {4}},
                                       {"decoder.conv_in.weight", {4, 4, 3, 3}}});
  }
  fs::path clip_file() {
    return weights("clip.safetensors", {{"text_model.final_layer_norm.weight", {4}}});
  }
  fs::path t5_file() {
    return weights("t5.safetensors", {{"encoder.block.0.layer.0.layer_norm.weight", {4}}});
  }
  fs::path sd3_file(std::map<std::string, Shape> more = {}) {
    std::map<std::string, Shape> tensors = {
        {"first_stage_model.decoder.up.0.block.0.norm1.weight", {4}},
        {"model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", {12, 4}}};
    for (auto& [name, shape] : more) tensors["model.diffusion_model." + name] = shape;
    return weights("sd3.safetensors", std::move(tensors));
  }
  fs::path folder_ = test::scratch_dir("open_model");
};

TEST_F(OpenModelTest, OtherFilesAreNamed) {
  EXPECT_THAT(problem_of_bytes("<!DOCTYPE html><html><body>404</body></html>"),
              HasSubstr("web page"));
  EXPECT_THAT(
      problem_of_bytes("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n"),
      HasSubstr("Git LFS pointer"));
  EXPECT_THAT(problem_of_bytes(""), HasSubstr("empty"));
  EXPECT_THAT(problem_of_bytes("\x89PNG\r\n\x1a\n1234"), HasSubstr("PNG picture"));
  EXPECT_THAT(problem_of_bytes("\xff\xd8\xff\xe0 1234"), HasSubstr("JPEG picture"));
  EXPECT_THAT(problem_of_bytes("7z\xbc\xaf\x27\x1c 1234"), HasSubstr("7z archive"));
  EXPECT_THAT(problem_of_bytes("\x1f\x8b 12345678"), HasSubstr("gzip"));
  EXPECT_THAT(problem_of_bytes("just some words"), HasSubstr("text file"));
  EXPECT_THAT(problem_of_bytes(std::string(100, '\x07')), HasSubstr("recognised"));
  EXPECT_THAT(problem(folder_ / "missing"), HasSubstr("missing"));
  EXPECT_THAT(problem(folder_), HasSubstr("model_index.json"));
  const fs::path pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(problem(pipe), HasSubstr("not a regular file"));
}

// The first bytes of a safetensors file are the length of its header: any bytes.
TEST_F(OpenModelTest, AHeaderLengthThatLooksLikeAnotherFormatIsNone) {
  const fs::path file = unet_file();
  std::string bytes = read_text_file(file);
  std::uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  constexpr std::uint64_t kMz = 'M' | 'Z' << 8;
  bytes.insert(8 + length, kMz - length, ' ');
  bytes.replace(0, 8, test::little_endian(kMz, 8));
  ASSERT_TRUE(bytes.starts_with("MZ"));
  EXPECT_EQ(problem_of_bytes(bytes), "");
}

TEST_F(OpenModelTest, PartsAreSentToTheirOptions) {
  EXPECT_THAT(problem(vae_file()), HasSubstr("--vae"));
  EXPECT_THAT(problem(clip_file()), HasSubstr("--clip"));
  EXPECT_THAT(problem(weights("l.safetensors", {{"lora_unet_x.lora_up.weight", {4, 4}}})),
              HasSubstr("LoRA"));
  EXPECT_THAT(problem(t5_file()), HasSubstr("--t5"));
  EXPECT_THAT(problem(weights("u.safetensors", {{"a.b", {4, 4}}})), HasSubstr("a.b"));
  EXPECT_THAT(problem(weights("n.safetensors", {})), HasSubstr("0 tensors"));
  EXPECT_THAT(problem(unet_file(), {.vae = clip_file()}),
              HasSubstr("holds no vae but text_encoder"));
}

TEST_F(OpenModelTest, PartsMakeAWhole) {
  const ModelBundle alone = open_model(unet_file());
  EXPECT_THAT(test::message_of([&] { require_components(alone); }), HasSubstr("--vae"));
  const ModelBundle drawn = open_model(unet_file(), {.vae = vae_file()});
  EXPECT_THAT(test::message_of([&] { require_components(drawn); }), HasSubstr("--clip"));
  const ModelBundle whole = open_model(unet_file(), {.vae = vae_file(), .clip = clip_file()});
  EXPECT_NO_THROW(require_components(whole));
  EXPECT_TRUE(
      whole.components.at("vae").weights->has("decoder.up_blocks.0.resnets.0.norm1.weight"));
  EXPECT_EQ(whole.form, "single file (LDM names, safetensors)");
}

TEST_F(OpenModelTest, WhatStableDiffusion3LacksIsToldTogether) {
  const auto missing = [](const ModelBundle& b) {
    return test::message_of([&] { require_components(b); });
  };
  const fs::path sd3 = sd3_file();
  const auto none = missing(open_model(sd3));
  for (const char* option : {"--clip-l FILE", "--clip-g FILE", "--t5 FILE", "--no-t5"})
    EXPECT_THAT(none, HasSubstr(option));
  EXPECT_THAT(none, testing::Not(HasSubstr("--vae")));
  OpenOptions options;
  options.clip_l = clip_file();
  options.clip_g = clip_file();  // by itself it looks like the first one
  const auto one = missing(open_model(sd3, options));
  EXPECT_THAT(one, HasSubstr("no T5 text encoder; give one with --t5 FILE"));
  options.no_t5 = true;
  EXPECT_EQ(missing(open_model(sd3, options)), "");
  options.no_t5 = false;
  options.t5 = t5_file();
  const ModelBundle whole = open_model(sd3, options);
  EXPECT_EQ(missing(whole), "");
  EXPECT_TRUE(
      whole.components.at("text_encoder_2").weights->has("text_model.final_layer_norm.weight"));
  options.no_t5 = true;  // wins over a file, and over what the model brings
  EXPECT_FALSE(open_model(sd3, options).components.contains("text_encoder_3"));
}

TEST_F(OpenModelTest, OptionsOfAnotherKindOfModelAreRefused) {
  OpenOptions clip, t5;
  clip.clip = clip_file();
  t5.t5 = t5_file();
  const auto refused = [&](const fs::path& file, const OpenOptions& o) {
    return test::message_of<UsageError>([&] { open_model(file, o); });
  };
  EXPECT_THAT(refused(sd3_file(), clip), HasSubstr("--clip is for Stable Diffusion 1 and 2"));
  EXPECT_THAT(refused(unet_file(), t5), HasSubstr("--t5 is for Stable Diffusion 3"));
}

TEST_F(OpenModelTest, TheMembersOfStableDiffusion3AreToldApart) {
  EXPECT_EQ(inspect_file(sd3_file()).family, "Stable Diffusion 3 Medium");
  const std::string block = "joint_blocks.0.x_block.";
  EXPECT_EQ(inspect_file(sd3_file({{block + "attn.ln_q.weight", {4}}})).family,
            "Stable Diffusion 3.5 Large");
  EXPECT_EQ(inspect_file(sd3_file({{block + "attn.ln_q.weight", {4}},
                                   {block + "attn2.qkv.weight", {12, 4}}}))
                .family,
            "Stable Diffusion 3.5 Medium");
}

TEST_F(OpenModelTest, ReportsSayWhatAFileIs) {
  const CheckpointReport unet = inspect_file(unet_file());
  EXPECT_EQ(unet.family, "Stable Diffusion 1, inpainting");
  EXPECT_EQ(unet.kind, "UNet");
  ASSERT_EQ(unet.components.size(), 1u);
  EXPECT_EQ(unet.components[0].parameters, 4 + 4 * 9 * 9 + 4 * 768);
  EXPECT_EQ(unet.components[0].dtypes.at("f32"), unet.components[0].parameters);
  EXPECT_THAT(inspect_file(vae_file()).advice, HasSubstr("--vae"));
  EXPECT_EQ(inspect_file(folder_ / "missing").kind, "unreadable");
  EXPECT_NE(inspect_file(folder_).problem, "");
}

// A folder as diffusers writes it, with the parts that each test changes.
class FolderTest : public OpenModelTest {
 protected:
  fs::path folder() {
    const fs::path f = folder_ / "model";
    fs::create_directories(f / "unet");
    test::write_file(
        f / "model_index.json",
        R"({"_class_name": "X", "unet": ["diffusers", "UNet2DConditionModel"], "safety_checker": [null, null]})");
    test::write_file(f / "unet/config.json", R"({"in_channels": 4})");
    return f;
  }
};

TEST_F(FolderTest, ShardsAreJoined) {
  const fs::path f = folder();
  weights("model/unet/a.safetensors", {{"conv_in.weight", {4}}});
  weights("model/unet/b.safetensors", {{"conv_out.weight", {5}}});
  const fs::path index = f / "unet/diffusion_pytorch_model.safetensors.index.json";
  test::write_file(
      index,
      R"({"weight_map": {"conv_in.weight": "a.safetensors", "conv_out.weight": "b.safetensors"}})");
  const ModelBundle b = open_model(f);
  EXPECT_EQ(b.components.at("unet").weights->tensors().size(), 2u);
  EXPECT_EQ(b.components.at("unet").config["in_channels"], 4);
  std::uintmax_t whole = 0;
  for (const auto& entry : fs::recursive_directory_iterator(f))
    if (entry.path().extension() == ".safetensors") whole += entry.file_size();
  EXPECT_EQ(bytes_on_disk(b), whole);
  test::write_file(
      index,
      R"({"weight_map": {"conv_in.weight": "a.safetensors", "lost.weight": "b.safetensors"}})");
  EXPECT_THAT(problem(f), HasSubstr("lost.weight"));
  for (const std::string path : {"../unet/a.safetensors", "/etc/passwd", "..", "", "a\\\\b"}) {
    test::write_file(index, R"({"weight_map": {"conv_in.weight": ")" + path + R"("}})");
    EXPECT_THAT(problem(f), HasSubstr("no file of this folder")) << path;
  }
  test::write_file(index, R"({"weight_map": {"conv_in.weight": 3}})");
  EXPECT_THAT(problem(f), HasSubstr("no file of this folder"));
  test::write_file(index, R"({"weight_map": {")" + std::string(5000, 'n') + R"(": "/)" +
                              std::string(5000, 'x') + R"("}})");
  EXPECT_THAT(problem(f), HasSubstr("no file of this folder"));
  EXPECT_LT(problem(f).size(), 1000u);
  test::write_file(index, "[]");
  EXPECT_THAT(problem(f), HasSubstr("weight_map"));
}

TEST_F(FolderTest, SixteenBitVariantsAreFound) {
  const fs::path f = folder();
  EXPECT_THAT(problem(f), HasSubstr("no weights"));
  weights("model/unet/diffusion_pytorch_model.fp16.safetensors", {{"conv_in.weight", {4}}});
  EXPECT_EQ(open_model(f).components.at("unet").weights->tensors().size(), 1u);
}

TEST_F(FolderTest, IncompleteFoldersAreExplained) {
  const fs::path f = folder();
  fs::remove_all(f / "unet");
  EXPECT_THAT(problem(f), HasSubstr("incomplete"));
  test::write_file(f / "model_index.json", "{}");
  EXPECT_THAT(problem(f), HasSubstr("no network"));
  test::write_file(f / "model_index.json", "[1]");
  EXPECT_THAT(problem(f), HasSubstr("not a JSON object"));
  test::write_file(f / "model_index.json", "{");
  EXPECT_THAT(problem(f), HasSubstr("JSON"));
}

}  // namespace
}  // namespace mezzo
