#include "pipeline/prompt_cache.h"

#include <algorithm>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "mezzotint/engine.h"
#include "support/goldens.h"

namespace mezzo {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class PromptCacheTest : public testing::Test {
 protected:
  PromptCacheTest() {
    set_log_sink([this](LogLevel, std::string_view text) { warnings.emplace_back(text); });
  }
  ~PromptCacheTest() override { set_log_sink({}); }

  PromptCache open(Precision precision = Precision::kF32) const {
    return {folder, bundle, precision};
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> list;
    for (const auto& entry : fs::directory_iterator(folder)) list.push_back(entry.path());
    std::ranges::sort(list);
    return list;
  }
  static TextEmbedding embedding(float value) {
    TextEmbedding e{.tokens = Tensor(host(), DType::kF32, {1, 3, 4}),
                    .pooled = Tensor(host(), DType::kF32, {1, 5})};
    std::fill_n(e.tokens.data<float>(), 12, value);
    std::fill_n(e.pooled.data<float>(), 5, -value);
    return e;
  }

  const fs::path shipped = test::source_dir() / "models" / "icons.gguf";
  const ModelBundle bundle = open_model(shipped);
  const fs::path folder = test::scratch_dir("prompts") / "cache";
  const Prompt apple{.text = "a red apple"};
  std::vector<std::string> warnings;
};

TEST_F(PromptCacheTest, GivesBackWhatWasKept) {
  const auto cache = open();
  EXPECT_FALSE(cache.find(apple, {}));
  cache.keep(apple, {}, embedding(2));
  const auto found = open().find(apple, {});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->tokens.shape(), (Shape{1, 3, 4}));
  EXPECT_EQ(found->tokens.data<float>()[11], 2);
  EXPECT_EQ(found->pooled.data<float>()[4], -2);
  EXPECT_EQ(files().size(), 1u);
  EXPECT_THAT(warnings, IsEmpty());
}

TEST_F(PromptCacheTest, EverythingThatValuesDependOnIsInTheName) {
  open().keep(apple, {}, embedding(2));
  EXPECT_FALSE(open().find({.text = "a red appl", .text_2 = "e"}, {}));
  EXPECT_FALSE(open().find(apple, {.clip_skip = 2}));
  EXPECT_FALSE(open().find(apple, {.t5_length = 77}));
  EXPECT_FALSE(open(Precision::kBF16).find(apple, {}));
}

TEST_F(PromptCacheTest, DamagedAndForeignFilesAreMadeAnew) {
  const auto cache = open();
  cache.keep(apple, {}, embedding(2));
  const fs::path file = files().at(0);
  {
    std::fstream damaged(file, std::ios::in | std::ios::out | std::ios::binary);
    damaged.seekp(-3, std::ios::end);
    damaged.put('x');
  }
  EXPECT_FALSE(cache.find(apple, {}));
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], HasSubstr(file.string()));
  cache.keep(apple, {}, embedding(3));
  EXPECT_EQ(cache.find(apple, {})->tokens.data<float>()[0], 3);

  const Prompt pear{.text = "a pear"};
  cache.keep(pear, {}, embedding(4));
  const auto both = files();
  fs::copy_file(both[0] == file ? both[1] : both[0], file, fs::copy_options::overwrite_existing);
  EXPECT_FALSE(cache.find(apple, {})) << "the file of another prompt";
  std::ofstream(file, std::ios::trunc) << "no safetensors";
  EXPECT_FALSE(cache.find(apple, {}));
}

TEST_F(PromptCacheTest, AFolderThatCannotBeIsRefused) {
  EXPECT_THROW(PromptCache(shipped / "folder", bundle, Precision::kF32), DeviceError);
}

TEST_F(PromptCacheTest, PicturesAreTheSameFromKeptPrompts) {
  const GenerateParams p{.prompts = {"a red apple"}, .steps = 2, .seed = 1};
  const auto draw = [&](const std::string& cache) {
    return Engine::open(shipped.string(), {.prompt_cache = cache}).generate(p).at(0).image.pixels;
  };
  const auto usual = draw("");
  EXPECT_EQ(draw(folder.string()), usual);
  EXPECT_EQ(files().size(), 2u) << "the prompt and the negative prompt";
  EXPECT_EQ(draw(folder.string()), usual);
}

}  // namespace
}  // namespace mezzo
