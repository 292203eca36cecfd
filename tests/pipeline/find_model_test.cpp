#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/files.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

void write(const fs::path& path, std::string_view text = "x") {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

std::string load_error(const std::string& name, const std::vector<std::string>& folders = {}) {
  try {
    find_model(name, folders);
  } catch (const LoadError& e) {
    return e.what();
  }
  return "no error";
}

class FindModel : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = test::scratch_dir("find_model");
    ::setenv("HF_HUB_CACHE", (folder_ / "hub").c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("HF_HUB_CACHE");
    ::unsetenv("HF_HOME");
    fs::remove_all(folder_);
  }
  std::vector<std::string> models() const { return {(folder_ / "models").string()}; }

  fs::path folder_;
};

TEST_F(FindModel, APathIsItself) {
  write(folder_ / "any.bin");
  EXPECT_EQ(find_model((folder_ / "any.bin").string(), {}), (folder_ / "any.bin").string());
  EXPECT_EQ(find_model(folder_.string(), {}), folder_.string());
}

TEST_F(FindModel, ANameIsFoundInTheFoldersWithAndWithoutExtension) {
  write(folder_ / "models" / "dream.v1.safetensors");
  write(folder_ / "models" / "sub" / "old.ckpt");
  write(folder_ / "models" / "folder" / "model_index.json", "{}");
  const fs::path m = folder_ / "models";
  EXPECT_EQ(find_model("dream.v1", models()), (m / "dream.v1.safetensors").string());
  EXPECT_EQ(find_model("dream.v1.safetensors", models()), (m / "dream.v1.safetensors").string());
  EXPECT_EQ(find_model("sub/old", models()), (m / "sub" / "old.ckpt").string());
  EXPECT_EQ(find_model("folder", models()), (m / "folder").string());
}

TEST_F(FindModel, AFolderThatIsNoModelDoesNotHideTheModelOfItsName) {
  write(folder_ / "models" / "dream.safetensors");
  write(folder_ / "dream" / "00001-1.png");
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  EXPECT_EQ(find_model("dream", models()), (folder_ / "models" / "dream.safetensors").string());
  EXPECT_EQ(find_model("dream", {}), "dream") << "alone, it is what was meant";
  fs::current_path(before);
}

TEST_F(FindModel, MissingNamesSayWhereItLooked) {
  EXPECT_EQ(load_error("nothing", {"/a", "/b"}),
            "nothing: model not found; looked in the current folder, /a, /b; check the name, or "
            "see mezzo "
            "models");
  EXPECT_EQ(load_error("nope.gguf"),
            "nope.gguf: file not found; looked in the current folder (there is no models folder: "
            "--models-dir or MEZZO_MODELS); check the name, or see mezzo models");
  EXPECT_EQ(load_error("/no/such/model.safetensors", {"/a"}),
            "/no/such/model.safetensors: file not found; check the path, or see mezzo models");
}

TEST_F(FindModel, PathsAreNotTakenForHubIds) {
  for (const char* path : {"models/dream.safetensors", "models/DREAM.GGUF", "./nope", "a/b/c",
                           "/no/such/file", "nope/"})
    EXPECT_THAT(load_error(path), AllOf(HasSubstr("not found"), Not(HasSubstr("Hugging Face"))))
        << path;
  fs::create_directories(folder_ / "dreams");
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  EXPECT_THAT(load_error("dreams/nope"), HasSubstr("file or folder not found")) << "a folder here";
  fs::current_path(before);
}

TEST_F(FindModel, AHubIdIsFoundInTheCache) {
  const fs::path repo = folder_ / "hub" / "models--some-org--some.model";
  write(repo / "refs" / "main", "abc123\n");
  write(repo / "snapshots" / "abc123" / "model_index.json", "{}");
  write(repo / "snapshots" / "old" / "model_index.json", "{}");
  EXPECT_EQ(find_model("some-org/some.model", {}), (repo / "snapshots" / "abc123").string());
  // Without a ref there must be no choice.
  fs::remove(repo / "refs" / "main");
  EXPECT_THAT(load_error("some-org/some.model"), HasSubstr("hf download some-org/some.model"));
  fs::remove_all(repo / "snapshots" / "old");
  EXPECT_EQ(find_model("some-org/some.model", {}), (repo / "snapshots" / "abc123").string());
}

TEST_F(FindModel, ASnapshotWithOneModelFileIsThatFile) {
  const fs::path snapshot = folder_ / "hub" / "models--o--n" / "snapshots" / "c";
  write(snapshot / "README.md");
  EXPECT_THAT(load_error("o/n"), HasSubstr("holds no model"));
  write(snapshot / "model.safetensors");
  EXPECT_EQ(find_model("o/n", {}), (snapshot / "model.safetensors").string());
  write(snapshot / "model.ckpt");
  EXPECT_THAT(load_error("o/n"), AllOf(HasSubstr("model.ckpt"), HasSubstr("model.safetensors")));
}

TEST_F(FindModel, AHubIdThatIsNotThereNamesTheDownload) {
  EXPECT_THAT(load_error("CompVis/stable-diffusion-v1-4"),
              HasSubstr("hf download CompVis/stable-diffusion-v1-4"));
  // The repository moved; the old id still finds either folder.
  EXPECT_THAT(load_error("runwayml/stable-diffusion-v1-5"),
              HasSubstr("hf download stable-diffusion-v1-5/stable-diffusion-v1-5"));
  const fs::path moved = folder_ / "hub" / "models--stable-diffusion-v1-5--stable-diffusion-v1-5";
  write(moved / "snapshots" / "c" / "model_index.json", "{}");
  EXPECT_EQ(find_model("runwayml/stable-diffusion-v1-5", {}), (moved / "snapshots" / "c").string());
}

TEST_F(FindModel, ARefCannotLeaveTheCache) {
  const fs::path repo = folder_ / "hub" / "models--o--n";
  write(folder_ / "outside" / "model_index.json", "{}");
  write(repo / "refs" / "main", "../../../outside");
  fs::create_directories(repo / "snapshots");
  EXPECT_THAT(load_error("o/n"), HasSubstr("hf download"));
}

TEST_F(FindModel, FollowsTheHomeOfTheHub) {
  ::unsetenv("HF_HUB_CACHE");
  ::setenv("HF_HOME", folder_.c_str(), 1);
  write(folder_ / "hub" / "models--o--n" / "snapshots" / "c" / "model_index.json", "{}");
  EXPECT_EQ(find_model("o/n", {}), (folder_ / "hub/models--o--n/snapshots/c").string());
}

TEST_F(FindModel, ListsFoldersAndCacheOnce) {
  write(folder_ / "models" / "broken.safetensors", "<!DOCTYPE html><html>");
  write(folder_ / "models" / "notes.txt");
  write(folder_ / "models" / "a" / "b" / "c" / "deep.ckpt");
  write(folder_ / "models" / "a" / "b" / "c" / "d" / "too_deep.ckpt");
  write(folder_ / "models" / "folder" / "model_index.json", "{}");
  write(folder_ / "models" / "folder" / "unet" / "part.safetensors");
  fs::create_symlink("broken.safetensors", folder_ / "models" / "same.safetensors");
  write(folder_ / "hub" / "models--o--n" / "snapshots" / "c" / "model_index.json", "{}");
  std::vector<std::string> names;
  for (const ModelEntry& e : list_models(models()))
    if (!e.shipped) {
      names.push_back(e.name);
      EXPECT_FALSE(e.error.empty()) << e.name;  // none of these can be loaded, and each says why
    }
  EXPECT_THAT(names, ::testing::ElementsAre("a/b/c/deep", "broken", "folder", "o/n"));
}

TEST(ModelsOfTheGoldens, SayWhatTheyHaveNoUseFor) {
  bool found = false;
  for (const fs::path& root : test::golden_paths("pipelines")) {
    std::map<std::string, ModelEntry> models;
    for (const ModelEntry& m : list_models({root.string()}))
      models[fs::path(m.path).filename().string()] = m;  // files of the same names are there, too
    const auto uses = [&](const std::string& model, const std::string& field) {
      const auto& unused = models.at(model).unused;
      return std::find(unused.begin(), unused.end(), field) == unused.end();
    };
    if (!models.contains("tiny_sd1") || !models.contains("tiny_sd3")) continue;
    found = true;
    for (const char* field : {"prompt_2", "negative_prompt_3", "t5_length", "skip_layers"}) {
      EXPECT_FALSE(uses("tiny_sd1", field)) << field;
      EXPECT_TRUE(uses("tiny_sd3", field)) << field;
    }
    for (const char* field : {"spacing", "prediction"}) {
      EXPECT_TRUE(uses("tiny_sd1", field)) << field;
      EXPECT_FALSE(uses("tiny_sd3", field)) << field;
    }
    EXPECT_TRUE(uses("tiny_sd1", "guidance") && uses("tiny_sd3", "clip_skip"));
    EXPECT_EQ(models.at("tiny_sd3").defaults.size_step, 16);

    // Options of a server, which has models of both kinds.
    EngineOptions options;
    options.clip = "clip", options.clip_l = "l", options.clip_g = "g", options.t5 = "t5";
    const auto sd1 = options_for(models.at("tiny_sd1").path, options);
    EXPECT_EQ(sd1.clip + sd1.clip_l + sd1.clip_g + sd1.t5, "clip");
    const auto sd3 = options_for(models.at("tiny_sd3").path, options);
    EXPECT_EQ(sd3.clip + sd3.clip_l + sd3.clip_g + sd3.t5, "lgt5");
    options.no_t5 = true;
    options.clip = options.clip_l = options.clip_g = options.t5 = "";
    for (const ModelEntry& m : list_models({root.string()}, options)) {
      if (fs::path(m.path).filename() != "tiny_sd3") continue;
      EXPECT_THAT(m.unused, ::testing::Contains("prompt_3"));
    }
  }
  if (!found) GTEST_SKIP() << "no models of the goldens were found";
}

TEST_F(FindModel, FoldersThatDoNotExistAreNoError) {
  for (const ModelEntry& e : list_models({(folder_ / "nowhere").string()})) EXPECT_TRUE(e.shipped);
}

}  // namespace
}  // namespace mezzo
