#include "cli/output_names.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/errors.h"
#include "support/goldens.h"

namespace mezzo::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class OutputNamesTest : public ::testing::Test {
 protected:
  NameFacts facts(std::string prompt = "a red apple", std::int64_t seed = 42,
                  std::size_t number = 1) const {
    return {params_, std::move(prompt), seed, "icons", number};
  }
  std::string in_folder(const std::string& name) const { return (folder_ / name).string(); }
  void touch(const std::string& name) const { std::ofstream(folder_ / name) << "x"; }

  GenerateParams params_;
  fs::path folder_ = test::scratch_dir("output_names");
};

TEST_F(OutputNamesTest, AFileIsTakenAsItIs) {
  touch("apple.PNG");
  OutputNames names(in_folder("apple.PNG"), 1, params_);
  EXPECT_EQ(names.next(facts()), in_folder("apple.PNG"));
}

TEST_F(OutputNamesTest, SeveralPicturesAreNumbered) {
  OutputNames names(in_folder("apple.webp"), 2, params_);
  EXPECT_EQ(names.next(facts("x", 1, 1)), in_folder("apple-1.webp"));
  EXPECT_EQ(names.next(facts("x", 2, 2)), in_folder("apple-2.webp"));
}

TEST_F(OutputNamesTest, AFolderCountsOn) {
  touch("00007-1.png");
  touch("00003-9.png");
  touch("notes.txt");
  OutputNames names(folder_.string(), 2, params_);
  EXPECT_EQ(names.next(facts()), in_folder("00008-42.png"));
  EXPECT_EQ(names.next(facts()), in_folder("00009-42.png"));
  OutputNames made(in_folder("new/deep/"), 1, params_);
  EXPECT_EQ(made.next(facts()), in_folder("new/deep/00001-42.png"));
  EXPECT_TRUE(fs::is_directory(folder_ / "new" / "deep"));
}

TEST_F(OutputNamesTest, PatternsNeverReplaceAFile) {
  params_.steps = 20;
  OutputNames names(in_folder("[model_name]/[seed]-[prompt].jpg"), 2, params_);
  EXPECT_TRUE(fs::is_empty(folder_));
  const fs::path first = names.next(facts("a/../b: \"c\""));
  EXPECT_EQ(first, in_folder("icons/42-a_.._b___c_.jpg"));
  EXPECT_EQ(names.next(facts("a/../b: \"c\"")), in_folder("icons/42-a_.._b___c_-2.jpg"));
  OutputNames plain(in_folder("x-[number]"), 1, params_);
  touch("x-00001.png");
  EXPECT_EQ(plain.next(facts()), in_folder("x-00001-2.png"));
}

TEST_F(OutputNamesTest, RefusesWhatCannotBeWrittenBeforeTheWork) {
  EXPECT_THROW(OutputNames(in_folder("apple.bmp"), 1, params_), UsageError);
  EXPECT_THROW(OutputNames(in_folder("apple"), 1, params_), UsageError);
  EXPECT_THROW(OutputNames("/dev/full", 1, params_), UsageError);
  EXPECT_THROW(OutputNames(in_folder("[what].png"), 1, params_), UsageError);
  touch("file");
  EXPECT_THROW(OutputNames(in_folder("file/apple.png"), 1, params_), DeviceError);
  EXPECT_THROW(OutputNames(in_folder("file/folder/"), 1, params_), DeviceError);
  EXPECT_TRUE(fs::is_regular_file(folder_ / "file"));
}

TEST_F(OutputNamesTest, LeavesNoTrace) {
  { OutputNames names(folder_.string(), 1, params_); }
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(OutputNamesTest, LongPromptsFitTheFileSystem) {
  std::string prompt;
  for (int i = 0; i < 300; ++i) prompt += "é";
  OutputNames names(in_folder("[prompt_spaces]-[prompt_spaces]-[prompt_spaces].png"), 1, params_);
  const fs::path file = names.next(facts(prompt));
  std::ofstream(file) << "x";
  EXPECT_TRUE(fs::exists(file)) << file;
  EXPECT_LE(file.filename().string().size(), 255u);
}

TEST(FileNamePart, HoldsNothingThatFileSystemsRefuse) {
  EXPECT_EQ(file_name_part("a<>:\"/\\|?*\n\x7f b"), "a___________ b");
  EXPECT_EQ(file_name_part("../../etc/passwd"), "_.._etc_passwd");
  EXPECT_EQ(file_name_part(" . "), "");
  EXPECT_LE(file_name_part(std::string(1000, 'x')).size(), 128u);
}

TEST(Slug, IsShortAndReadable) {
  EXPECT_EQ(slug("A red apple, 4k (best)"), "a-red-apple-4k-best");
  EXPECT_EQ(slug("!!"), "picture");
  EXPECT_EQ(slug(""), "picture");
  EXPECT_EQ(slug("ein Ä"), "ein-Ä");
  EXPECT_LE(slug(std::string(500, 'a')).size(), 48u);
}

TEST(Pattern, KnowsItsWords) {
  GenerateParams p;
  p.steps = 20, p.guidance = 7.5, p.width = 64, p.height = 128, p.sampler = "euler",
  p.schedule = "karras", p.strength = 0.5;
  const NameFacts f{p, "a red apple, on a table", 42, "v1.5", 3};
  EXPECT_EQ(expand_pattern("[seed] [steps] [cfg] [width]x[height] [sampler] [scheduler] "
                           "[denoising] [clip_skip] [none]",
                           f),
            "42 20 7.5 64x128 euler karras 0.5 1 ");
  EXPECT_EQ(expand_pattern("[number] [model_name] [prompt_words]", f),
            "00003 v1.5 a red apple on a table");
  EXPECT_EQ(expand_pattern("[prompt]", f), "a_red_apple,_on_a_table");
  EXPECT_THAT(expand_pattern("[date]", f), MatchesRegex("[0-9]+-[0-9]+-[0-9]+"));
  EXPECT_THAT(expand_pattern("[datetime<%Y/%m>]", f), MatchesRegex("[0-9]+_[0-9]+"));
  EXPECT_EQ(expand_pattern("a [b", f), "a [b");
  EXPECT_TRUE(is_pattern("x[seed]"));
  EXPECT_FALSE(is_pattern("x]["));
}

}  // namespace
}  // namespace mezzo::cli
