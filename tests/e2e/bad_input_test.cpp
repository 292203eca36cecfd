// What goes wrong in practice: each ends with its exit code and one line that says what to do, and
// leaves no file.
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "e2e/program.h"
#include "mezzotint/files.h"
#include "support/goldens.h"

namespace mezzo::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string bytes_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return std::move(text).str();
}

/// A safetensors file of f32 zeros, by name and shape.
std::string safetensors(
    const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& tensors) {
  nlohmann::ordered_json header;
  std::size_t at = 0;
  for (const auto& [name, shape] : tensors) {
    std::size_t bytes = 4;
    for (const std::int64_t d : shape) bytes *= static_cast<std::size_t>(d);
    header[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {at, at + bytes}}};
    at += bytes;
  }
  const std::string text = header.dump();
  const std::uint64_t size = text.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &size, 8);
  return file + text + std::string(at, '\0');
}

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    if (small_model().empty())
      GTEST_SKIP() << "no model: models/icons.gguf and ../shared/default-model are absent";
    program_.set("MEZZO_MODEL", small_model().string());
  }

  /// Expects this exit code, one line on stderr with every part of `says`, and no new file in the
  /// folder.
  void expect(int code, const std::vector<std::string>& arguments,
              const std::vector<std::string>& says) const {
    const auto before = files();
    const Result r = program_.run(arguments);
    expect_failure(r, code, says);
    EXPECT_EQ(r.out, "");
    EXPECT_EQ(files(), before);
  }
  static void expect_failure(const Result& r, int code, const std::vector<std::string>& says) {
    EXPECT_EQ(r.code, code) << r.err;
    EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << r.err;
    EXPECT_TRUE(r.err.starts_with("mezzo: ")) << r.err;
    for (const std::string& text : says) EXPECT_THAT(r.err, HasSubstr(text));
  }
  void expect_model(const std::string& name, const std::vector<std::string>& says) const {
    expect(3, {"generate", "x", "--progress", "none", "-o", "x.png", "-m", name}, says);
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& e : fs::recursive_directory_iterator(program_.folder()))
      names.push_back(e.path().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  void write_picture(const std::string& name, int width, int height) const {
    const auto samples = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3;
    save_image((program_.folder() / name).string(),
               Image{width, height, 3, std::vector<std::uint8_t>(samples, 128)});
  }

  Program program_{::testing::UnitTest::GetInstance()->current_test_info()->name()};
};

TEST_F(BadInput, CommandLines) {
  expect(2, {"genrate", "x"}, {"genrate", "did you mean generate?"});
  expect(2, {"generate", "x", "--stpes", "3"}, {"--stpes", "did you mean --steps?"});
  expect(2, {"generate", "x", "--steps"}, {"--steps", "mezzo generate --help"});
  expect(2, {"generate"}, {"prompt"});
  expect(2, {"info", "a", "b"}, {"mezzo info --help"});
  expect(2, {"--stpes"}, {"mezzo --help"});
  expect(2, {"generate", "x", "--settings", "/no/such.toml"}, {"/no/such.toml"});
  expect(2, {"generate", "x", "--progress", "loud"}, {"loud", "plain"});
}

TEST_F(BadInput, Values) {
  expect(2, {"generate", "x", "--steps", "0"}, {"steps", "1 to 1000"});
  expect(2, {"generate", "x", "--guidance", "nan"}, {"guidance", "0 to 100"});
  expect(2, {"generate", "x", "--width", "100"}, {"width", "96 or 104"});
  expect(2, {"generate", "x", "--height", "1000000"}, {"height", "4096"});
  expect(2, {"generate", "x", "--seed", "-5"}, {"seed"});
  expect(2, {"generate", "x", "--max-ram", "lots"}, {"lots", "6G"});
  expect(2, {"generate", "x", "--max-ram", "10"}, {"max-ram: 10 what?", "10G or 10M"});
  expect(2, {"generate", "x", "--threads", "-1"}, {"threads"});
  expect(2, {"generate", "x", "--sampler", "eulr"},
         {"\"eulr\"", "did you mean euler, euler_a or euler_cfg_pp?", "mezzo samplers"});
  expect(2, {"generate", "x", "--schedule", "karas"}, {"\"karas\"", "karras", "mezzo samplers"});
  expect(2, {"generate", "x", "--progress", "none", "--precision", "f64"}, {"f64"});
  expect(2, {"generate", std::string(100'000, 'x')}, {"prompt", "too long"});
}

TEST_F(BadInput, ModelsThatAreNone) {
  expect_model("/no/such/model.safetensors", {"/no/such/model.safetensors", "check the path"});
  expect_model("nope.gguf",
               {"nope.gguf: file not found; looked in the current folder", "mezzo models"});
  expect_model("nobody/nothing", {"hf download nobody/nothing"});
  expect_model("runwayml/stable-diffusion-v1-5", {"hf download"});
  fs::create_directories(program_.folder() / "empty");
  expect_model("empty", {"empty"});
  program_.write("page.safetensors",
                 "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n");
  expect_model("page.safetensors", {"page.safetensors", "web page"});
  program_.write("nothing.safetensors", "");
  expect_model("nothing.safetensors", {"nothing.safetensors"});
  program_.write("pointer.ckpt",
                 "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4265380512\n");
  expect_model("pointer.ckpt", {"pointer.ckpt"});
}

TEST_F(BadInput, TruncatedDownloads) {
  fs::path file = small_model();
  if (fs::is_directory(file)) file = file / "unet" / "diffusion_pytorch_model.safetensors";
  const std::string whole = bytes_of(file);
  const std::string name = "cut" + file.extension().string();
  for (const std::size_t size : {std::size_t{20}, whole.size() / 2, whole.size() - 1}) {
    program_.write(name, whole.substr(0, size));
    expect_model(name, {name});
  }
}

TEST_F(BadInput, PartsOfModels) {
  program_.write(
      "lora.safetensors",
      safetensors(
          {{"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight",
            {4, 320}},
           {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_up.weight",
            {320, 4}}}));
  expect_model("lora.safetensors", {"lora.safetensors", "LoRA"});
  program_.write("other.safetensors",
                 safetensors({{"model.layers.0.self_attn.q_proj.weight", {8, 8}}}));
  expect_model("other.safetensors", {"other.safetensors"});
}

TEST_F(BadInput, Pictures) {
  write_picture("in.png", 128, 128);
  write_picture("small.png", 64, 128);
  program_.write("page.png", "<!DOCTYPE html>");
  const std::vector<std::string> start = {"generate", "x", "--progress", "none", "-o", "x.png"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), start.begin(), start.end());
    return more;
  };
  expect(2, with({"--init", "in.png", "--mask", "small.png"}), {"mask", "64x128", "128x128"});
  expect(2, with({"--mask", "in.png"}), {"mask", "--init"});
  expect(2, with({"--strength", "0.5"}), {"strength", "--init"});
  expect(2, with({"--init", "missing.png"}), {"missing.png"});
  expect(2, with({"--init", "page.png"}), {"page.png"});
  program_.write("large.png", std::string(34'000'000, 'x'));
  expect(2, with({"--init", "large.png"}), {"34.0 MB are more than the 33.6 MB"});
  expect(2, with({"--init", "."}), {"folder"});
  expect(2, {"redo", "in.png"}, {"in.png", "no recipe"});
  expect(2, {"redo", "missing.png"}, {"missing.png"});
}

TEST_F(BadInput, Outputs) {
  program_.write("file", "x");
  const auto to = [](const char* out) {
    return std::vector<std::string>{"generate", "x", "--progress", "none", "-o", out};
  };
  expect(2, to("x.bmp"), {"x.bmp", ".png"});
  expect(2, to("/dev/full"), {"/dev/full", ".png"});
  expect(1, to("file/new/x.png"), {"file", "-o"});
  expect(1, to("file/x.png"), {"file", "-o"});
  expect(1, to("file/folder/"), {"file", "-o"});
  expect(2, to("[nonsense].png"), {"[nonsense]", "[seed]"});
  expect(1, {"generate", "x", "--progress", "none", "--preview", "missing/p.png"}, {"missing"});
}

TEST_F(BadInput, BatchFiles) {
  program_.write("nothing.txt", "\n# only a comment\n");
  program_.write("a.csv", "seed\n1\n");
  expect(2, {"batch", "missing.txt"}, {"missing.txt"});
  expect(2, {"batch", "nothing.txt"}, {"no prompts"});
  expect(2, {"batch", "a.csv"}, {"column prompt"});
  expect(2, {"batch", "nothing.doc"}, {"nothing.doc"});
  expect(2, {"batch", "."}, {"folder"});
  program_.write("a.txt", "a cat\n");
  for (const char* shard : {"0/2", "3/2", "1", "1/0", "a/b", "1/2x"})
    expect(2, {"batch", "a.txt", "--shard", shard}, {"shard", shard});
}

TEST_F(BadInput, TooLittleMemory) {
  expect(4, {"generate", "x", "--progress", "none", "--max-ram", "1M"}, {"memory", "--max-ram"});
  // A model that cannot draw the larger pictures which are tried for the remedy.
  for (const fs::path& model : golden_paths("pipelines/tiny_sd3"))
    expect(4, {"plan", "x", "-m", model.string(), "--max-ram", "10M"}, {"memory", "--max-ram"});
}

TEST_F(BadInput, ErrorsAreJsonToo) {
  for (const auto& [arguments, code, kind] :
       std::vector<std::tuple<std::vector<std::string>, int, std::string>>{
           {{"generate", "x", "--steps", "0", "--json"}, 2, "usage"},
           {{"generate", "x", "--nonsense", "--json"}, 2, "usage"},
           {{"info", "/no/such", "--json"}, 3, "load"},
           {{"generate", "x", "-o", "/proc/x.png", "--json", "-q"}, 1, "device"},
       }) {
    const Result r = program_.run(arguments);
    EXPECT_EQ(r.code, code);
    EXPECT_EQ(r.err, "");
    const auto json = nlohmann::json::parse(r.out);
    EXPECT_EQ(json["error"]["kind"], kind);
    EXPECT_FALSE(json["error"]["message"].get<std::string>().empty());
  }
}

TEST_F(BadInput, AFileThatMayNotGrow) {
  // 512 bytes: less than any picture. The shell's limit ends up as a failed write.
  const Result r = program_.shell("ulimit -f 1; exec mezzo generate x --steps 1 -q -o x.png");
  expect_failure(r, 1, {"x.png"});
  EXPECT_TRUE(fs::is_empty(program_.folder()));
}

TEST_F(BadInput, AFullDisk) {
  const fs::path disk = program_.folder() / "disk";
  fs::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=4k") != 0)
    GTEST_SKIP() << "a small file system cannot be mounted here: " << std::strerror(errno);
  const Result r = program_.run({"generate", "x", "--steps", "1", "-q", "-o", "disk/x.png"});
  const bool empty = fs::is_empty(disk);
  ::umount(disk.c_str());
  expect_failure(r, 1, {"x.png", "space"});
  EXPECT_TRUE(empty);
}

TEST_F(BadInput, OutputThatCannotBeWritten) {
  const Result r = program_.shell("exec mezzo tokens x > /dev/full");
  expect_failure(r, 1, {"cannot write"});
}

TEST_F(BadInput, InfoExplainsWhatItCannotLoad) {
  program_.write("page.safetensors", "<!DOCTYPE html>");
  const Result r = program_.run({"info", "page.safetensors"});
  EXPECT_EQ(r.code, 3);
  EXPECT_THAT(r.out, HasSubstr("web page"));
  EXPECT_EQ(program_.run({"info", "/no/such"}).code, 3);
}

}  // namespace
}  // namespace mezzo::test
