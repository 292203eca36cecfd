// Ctrl-C while a picture is drawn.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "e2e/program.h"

namespace mezzo::test {
namespace {

using ::testing::HasSubstr;

class Interrupt : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (small_model().empty())
      GTEST_SKIP() << "no model: models/icons.gguf and ../shared/default-model are absent";
    program_.set("MEZZO_MODEL", small_model().string());
  }
  Program program_{"interrupt"};
};

bool is_drawing(const std::string& err) { return err.find("\"denoise\"") != err.npos; }

TEST_P(Interrupt, StopsWithinAStepAndLeavesNoFile) {
  const Result r = program_.interrupt(
      {"generate", "a cat", "-o", "cat.png", "--steps", "1000", "--progress", "json"}, GetParam(),
      is_drawing);
  EXPECT_EQ(r.code, 130) << r.err;
  EXPECT_THAT(r.err, HasSubstr("mezzo: interrupted"));
  EXPECT_TRUE(fs::is_empty(program_.folder()));
}

TEST_P(Interrupt, KeepsFinishedPicturesOfABatch) {
  program_.write("prompts.txt",
                 "--prompt 'a cat' --steps 1 --seed 1\n--prompt 'a dog' --steps 1000\n");
  const auto second = [](const std::string& err) { return err.find("\"steps\":1000") != err.npos; };
  const Result r = program_.interrupt({"batch", "prompts.txt", "-o", "out", "--progress", "json"},
                                      GetParam(), second);
  EXPECT_EQ(r.code, 130) << r.err;
  EXPECT_TRUE(fs::exists(program_.folder() / "out" / "00001-1.png"));
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(program_.folder() / "out"))
    files += entry.is_regular_file();
  EXPECT_EQ(files, 2u);  // the picture and the manifest
}

TEST_P(Interrupt, TellsJsonToo) {
  const Result r = program_.interrupt(
      {"generate", "a cat", "-o", "cat.png", "--steps", "1000", "--progress", "json", "--json"},
      GetParam(), is_drawing);
  EXPECT_EQ(r.code, 130);
  EXPECT_EQ(nlohmann::json::parse(r.out)["error"]["kind"], "cancelled");
}

INSTANTIATE_TEST_SUITE_P(Signals, Interrupt, ::testing::Values(SIGINT, SIGTERM));

}  // namespace
}  // namespace mezzo::test
