#include "cli/manifest.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/goldens.h"

namespace mezzo::cli {
namespace {

namespace fs = std::filesystem;

BatchLine line(std::size_t number, const char* prompt) {
  BatchLine l;
  l.line = number;
  l.params.prompts = {prompt};
  return l;
}

Picture picture() {
  Picture p;
  p.prompt = "a cat";
  p.seed = 5;
  p.request = R"({"prompt": "a cat", "seed": 5})";
  return p;
}

class ManifestTest : public ::testing::Test {
 protected:
  void touch(const char* name) const { std::ofstream(folder_ / name) << "x"; }
  fs::path folder_ = test::scratch_dir("manifest");
};

TEST_F(ManifestTest, RemembersFinishedLines) {
  touch("00003-5.png");
  {
    Manifest m(folder_, false);
    EXPECT_FALSE(m.is_done(line(3, "a cat")));
    m.add(line(3, "a cat"), 0, picture(), "00003-5.png");
  }
  const Manifest m(folder_, true);
  EXPECT_TRUE(m.is_done(line(3, "a cat")));
  EXPECT_FALSE(m.is_done(line(4, "a cat")));
  EXPECT_FALSE(m.is_done(line(3, "a dog")));  // the line was edited
  BatchLine more_steps = line(3, "a cat");
  more_steps.params.steps = 7;
  EXPECT_FALSE(m.is_done(more_steps));
  BatchLine other_init = line(3, "a cat");
  other_init.init = "in.png";
  EXPECT_FALSE(m.is_done(other_init));
  EXPECT_FALSE(Manifest(folder_, false).is_done(line(3, "a cat")));  // nobody asked to resume
}

TEST_F(ManifestTest, ALineNeedsAllItsPictures) {
  BatchLine two = line(1, "a cat");
  two.params.count = 2;
  touch("a.png");
  touch("b.png");
  {
    Manifest m(folder_, false);
    m.add(two, 0, picture(), "a.png");
  }
  EXPECT_FALSE(Manifest(folder_, true).is_done(two));
  {
    Manifest m(folder_, true);
    m.add(two, 1, picture(), "b.png");
  }
  EXPECT_TRUE(Manifest(folder_, true).is_done(two));
  fs::remove(folder_ / "a.png");
  EXPECT_FALSE(Manifest(folder_, true).is_done(two));
}

TEST_F(ManifestTest, SurvivesACrashInTheMiddleOfALine) {
  touch("00001-5.png");
  { Manifest(folder_, false).add(line(1, "a cat"), 0, picture(), "00001-5.png"); }
  const auto whole = fs::file_size(folder_ / kManifestName);
  { Manifest(folder_, true).add(line(2, "a dog"), 0, picture(), "00001-5.png"); }
  fs::resize_file(folder_ / kManifestName, whole + 10);
  std::ofstream(folder_ / kManifestName, std::ios::app) << "";
  { Manifest(folder_, true).add(line(3, "a cow"), 0, picture(), "00001-5.png"); }
  const Manifest m(folder_, true);
  EXPECT_TRUE(m.is_done(line(1, "a cat")));
  EXPECT_FALSE(m.is_done(line(2, "a dog")));
  EXPECT_TRUE(m.is_done(line(3, "a cow")));
}

TEST_F(ManifestTest, IgnoresLinesOfOthers) {
  std::ofstream(folder_ / kManifestName)
      << "nonsense\n[]\n{}\n{\"line\": -1, \"index\": 0, \"file\": 3}\n";
  EXPECT_FALSE(Manifest(folder_, true).is_done(line(1, "a cat")));
}

TEST_F(ManifestTest, EntriesAreCompleteJson) {
  { Manifest(folder_, false).add(line(3, "a \xff cat"), 1, picture(), "x.png"); }
  std::ifstream in(folder_ / kManifestName);
  std::string text;
  ASSERT_TRUE(std::getline(in, text));
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["line"], 3);
  EXPECT_EQ(json["index"], 1);
  EXPECT_EQ(json["file"], "x.png");
  EXPECT_EQ(json["seed"], 5);
  EXPECT_EQ(json["request"]["prompt"], "a cat");
}

TEST(ManifestFolder, ThatIsNotThereIsAnError) {
  EXPECT_THROW(Manifest("/no/such/folder", false), DeviceError);
}

}  // namespace
}  // namespace mezzo::cli
