// The documents say what the program does: every flag is described, and commands marked as runnable
// run.
#include <fstream>
#include <sstream>

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands.h"
#include "e2e/program.h"
#include "support/goldens.h"

namespace mezzo::test {
namespace {

std::string read(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return std::move(text).str();
}

TEST(CliDocument, NamesEveryCommandAndFlag) {
  const std::string text = read(source_dir() / "docs" / "cli.md");
  const auto is_there = [&](const std::string& word) { return text.find(word) != text.npos; };
  cli::Signals signals;
  cli::Session session{.signals = signals, .printer = {}, .command = {}};
  for (const cli::Command& command : cli::kCommands) {
    EXPECT_TRUE(is_there(std::string("mezzo ") + command.name)) << command.name;
    CLI::App app;
    command.add(app, session);
    for (const CLI::Option* option : app.get_options())
      for (const std::string& flag : option->get_lnames())
        EXPECT_TRUE(is_there("`--" + flag)) << command.name << " --" << flag;
  }
}

/// The lines of ```sh blocks that stand directly below a line <!-- runnable -->.
std::vector<std::string> runnable_blocks(const std::string& document) {
  std::vector<std::string> blocks;
  std::istringstream lines(document);
  bool marked = false, inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (inside && line == "```")
      inside = false;
    else if (inside)
      blocks.back() += line + "\n";
    else if (marked && line == "```sh")
      inside = true, blocks.emplace_back();
    marked = line == "<!-- runnable -->";
  }
  return blocks;
}

TEST(Runnable, BlocksAreFound) {
  const auto blocks = runnable_blocks(
      "x\n```sh\nno\n```\n<!-- runnable -->\n```sh\na\nb\n```\ny\n<!-- runnable "
      "-->\n```sh\nc\n```\n");
  EXPECT_THAT(blocks, ::testing::ElementsAre("a\nb\n", "c\n"));
}

class Document : public ::testing::TestWithParam<const char*> {};

TEST_P(Document, CommandsRun) {
  if (small_model().empty())
    GTEST_SKIP() << "no model: models/icons.gguf and ../shared/default-model are absent";
  const fs::path file = source_dir() / GetParam();
  if (!fs::exists(file)) GTEST_SKIP() << file << " is absent";
  Program program("documents");
  program.set("MEZZO_MODEL", small_model().string());
  program.set("MEZZO_STEPS", "2");  // quick, unless the document asks for more
  for (std::string script : runnable_blocks(read(file))) {
    for (auto at = script.find("./run "); at != script.npos; at = script.find("./run "))
      script.replace(at, 6, "mezzo ");
    const Result r = program.shell("set -e\n" + script);
    EXPECT_EQ(r.code, 0) << script << r.err;
  }
}
INSTANTIATE_TEST_SUITE_P(Files, Document, ::testing::Values("README.md", "docs/cli.md"));

}  // namespace
}  // namespace mezzo::test
