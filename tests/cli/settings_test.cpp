#include "cli/settings.h"

#include <cstdlib>
#include <fstream>

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mezzotint/errors.h"
#include "support/goldens.h"

namespace mezzo::cli {
namespace {

class Settings : public ::testing::Test {
 protected:
  void SetUp() override {
    draw_ = app_.add_subcommand("draw");
    draw_->add_option("--steps", steps_);
    draw_->add_option("--models-dir", folders_);
    draw_->add_flag("--json", json_);
    app_.add_subcommand("other")->add_option("--width", width_);
  }
  void TearDown() override {
    for (const char* name : {"MEZZO_STEPS", "MEZZO_MODELS", "MEZZO_JSON", "MEZZO_WIDTH"})
      ::unsetenv(name);
  }
  std::string file(const char* text) const {
    const auto path = folder_ / "config.toml";
    std::ofstream(path) << text;
    return path.string();
  }
  void parse(const std::string& settings, std::vector<std::string> arguments = {"draw"}) {
    apply_settings(app_, *draw_, settings);
    std::reverse(arguments.begin(), arguments.end());
    app_.parse(arguments);
  }

  std::filesystem::path folder_ = test::scratch_dir("settings");
  CLI::App app_;
  CLI::App* draw_ = nullptr;
  int steps_ = 1, width_ = 1;
  std::string folders_;
  bool json_ = false;
};

TEST_F(Settings, TheFileSetsDefaults) {
  parse(file("# mine\nsteps = 5\nmodels_dir = \"/a b\"\njson = true\nwidth = 3\n"));
  EXPECT_EQ(steps_, 5);
  EXPECT_EQ(folders_, "/a b");
  EXPECT_TRUE(json_);
  EXPECT_EQ(width_, 1);  // of the other command
}

TEST_F(Settings, ASectionIsForItsCommand) {
  parse(file("[other]\nwidth = 3\n[draw]\nsteps = 6\n"));
  EXPECT_EQ(steps_, 6);
}

TEST_F(Settings, VariablesWinOverTheFileAndFlagsOverBoth) {
  ::setenv("MEZZO_STEPS", "7", 1);
  ::setenv("MEZZO_MODELS", "/env", 1);
  parse(file("steps = 5\nmodels-dir = \"/file\"\n"), {"draw", "--steps", "9"});
  EXPECT_EQ(steps_, 9);
  EXPECT_EQ(folders_, "/env");
}

TEST_F(Settings, UnknownNamesAreErrors) {
  try {
    parse(file("stpes = 5\n"));
    FAIL();
  } catch (const UsageError& e) {
    EXPECT_THAT(e.what(), ::testing::HasSubstr("did you mean steps?"));
  }
}

TEST_F(Settings, TheFileIsFound) {
  ::setenv("XDG_CONFIG_HOME", folder_.c_str(), 1);
  EXPECT_EQ(settings_file({}), "");
  std::filesystem::create_directories(folder_ / "mezzotint");
  std::ofstream(folder_ / "mezzotint" / "config.toml") << "steps = 5\n";
  EXPECT_EQ(settings_file({}), folder_ / "mezzotint" / "config.toml");
  ::unsetenv("XDG_CONFIG_HOME");
  const std::string other = file("");
  EXPECT_EQ(settings_file({"draw", "--settings", other}), other);
  EXPECT_EQ(settings_file({"--settings=" + other}), other);
  EXPECT_THROW(settings_file({"--settings", "/no/such"}), UsageError);
}

TEST(EnvironmentName, FollowsTheFlag) {
  EXPECT_EQ(environment_name("clip-skip"), "MEZZO_CLIP_SKIP");
  EXPECT_EQ(environment_name("models-dir"), "MEZZO_MODELS");
}

}  // namespace
}  // namespace mezzo::cli
