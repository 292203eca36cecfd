// What the program tells shells and man about itself: the scripts are run by the shells they are
// for, and the manual page is set by groff without a warning.
#include <sstream>

#include <CLI/CLI.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/commands.h"
#include "e2e/program.h"

namespace mezzo::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Answers of bash: what it makes of the words of a command line whose last one is unfinished.
constexpr const char* kBash = R"(#!/usr/bin/env bash
source <(mezzo completions bash)
compopt() { COMPREPLY=("compopt $*"); }  # works only at a prompt
while IFS=' ' read -r -a COMP_WORDS; do
  if [[ ${COMP_WORDS[-1]} == "_" ]]; then COMP_WORDS[-1]=""; fi
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _mezzo && echo "${COMPREPLY[*]}"
done <questions
)";

/// The same for a real zsh at a terminal: the line after a press of the tab key.
constexpr const char* kZsh = R"(
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PROMPT=; unset zle_bracketed_paste; fpath=('$PWD' $fpath); autoload -Uz compinit; compinit -u -D
  tell() { print -r -- "$BUFFER" >answer.new; mv answer.new answer }; zle -N tell; bindkey "^G" tell
  bindkey "^I" complete-word; print READY'
zpty -r shell text '*READY*READY*'
zpty -w -n shell "$1"$'\t\a'
for ((i = 0; i < 300; ++i)) { [[ -e answer ]] && break; sleep 0.1 }
zpty -d shell
cat answer
)";

bool is_there(const Program& program, const std::string& tool) {
  return program.shell("command -v " + tool).code == 0;
}

class Shell : public ::testing::Test {
 protected:
  /// One answer a line.
  std::string bash(const std::string& questions) const {
    program_.write("bash.sh", kBash);
    program_.write("questions", questions);
    const Result r = program_.shell("bash bash.sh");
    EXPECT_EQ(r.err, "");
    return r.out;
  }

  Program program_{::testing::UnitTest::GetInstance()->current_test_info()->name()};
};

TEST_F(Shell, BashReadsItsScript) {
  EXPECT_EQ(program_.shell("mezzo completions bash > script && bash -n script").code, 0);
}

TEST_F(Shell, BashCompletes) {
  EXPECT_EQ(bash("mezzo gen\n"), "generate\n");
  EXPECT_EQ(bash("mezzo generate --st\n"), "--steps --strength\n");
  EXPECT_EQ(bash("mezzo --ver\n"), "--version\n");
  EXPECT_EQ(bash("mezzo generate --spacing lea\nmezzo generate --spacing = lea\n"),
            "leading\nleading\n");
  EXPECT_THAT(bash("mezzo batch x.txt --sampler eul\n"), HasSubstr("euler euler_a"));
  EXPECT_EQ(bash("mezzo completions _\n"), "bash zsh fish\n");
  // Numbers and prompts are the user's; files and folders are left to readline.
  EXPECT_EQ(bash("mezzo generate --steps _\nmezzo generate _\n"), "\n\n");
  EXPECT_EQ(bash("mezzo info _\nmezzo generate -m _\nmezzo generate --models-dir = _\n"),
            "compopt -o default\ncompopt -o default\ncompopt -o dirnames\n");
}

TEST_F(Shell, BashKnowsEveryCommandAndFlag) {
  cli::Signals signals;
  cli::Session session{.signals = signals, .printer = {}, .command = {}};
  std::string questions;
  std::vector<std::string> words;
  const auto ask = [&](const std::string& before, const std::string& word) {
    questions += before + word + "\n";
    words.push_back(word);
  };
  for (const cli::Command& command : cli::kCommands) {
    CLI::App app;
    command.add(app, session);
    if (app.get_group().empty()) continue;  // hidden
    ask("mezzo ", command.name);
    for (const CLI::Option* option : app.get_options())
      for (const std::string& flag : option->get_lnames())
        ask("mezzo " + std::string(command.name) + " ", "--" + flag);
  }
  std::istringstream answers(bash(questions));
  for (const std::string& word : words) {
    std::string answer;  // --mask is completed to --mask and --mask-blur
    std::getline(answers, answer);
    EXPECT_THAT(" " + answer + " ", HasSubstr(" " + word + " "));
  }
}

TEST_F(Shell, ZshCompletes) {
  if (!is_there(program_, "zsh")) GTEST_SKIP() << "zsh is not installed";
  program_.write("zsh.sh", kZsh);
  const auto line = [&](const std::string& typed) {
    return program_.shell(
        "rm -f answer; mezzo completions zsh > _mezzo && zsh -n _mezzo && zsh -f "
        "zsh.sh '" +
        typed + "'");
  };
  EXPECT_EQ(line("mezzo gen").out, "mezzo generate \n");
  EXPECT_EQ(line("mezzo generate \"a cat\" --ste").out, "mezzo generate \"a cat\" --steps=\n");
  EXPECT_EQ(line("mezzo generate --spacing lea").out, "mezzo generate --spacing leading \n");
}

TEST_F(Shell, FishCompletes) {
  if (!is_there(program_, "fish")) GTEST_SKIP() << "fish is not installed";
  const auto answers = [&](const std::string& typed) {
    const Result r = program_.shell(
        "mezzo completions fish > m.fish && fish --no-execute m.fish && fish --no-config -c "
        "'source m.fish; complete -C \"" +
        typed + "\"' | cut -f1");
    EXPECT_EQ(r.err, "");
    return r.out;
  };
  EXPECT_EQ(answers("mezzo gen"), "generate\n");
  EXPECT_EQ(answers("mezzo generate --st"), "--steps\n--strength\n");
  EXPECT_EQ(answers("mezzo generate --spacing lea"), "leading\n");
}

TEST_F(Shell, UnknownShellsAreErrors) {
  const Result r = program_.run({"completions", "csh"});
  EXPECT_EQ(r.code, 2);
  EXPECT_THAT(r.err, HasSubstr("bash,zsh,fish"));
}

TEST_F(Shell, TheManualHasEveryCommandAndFlag) {
  std::string page = program_.run({"manual"}).out;
  for (auto at = page.find("\\-"); at != page.npos; at = page.find("\\-", at)) page.erase(at, 1);
  cli::Signals signals;
  cli::Session session{.signals = signals, .printer = {}, .command = {}};
  for (const cli::Command& command : cli::kCommands) {
    CLI::App app;
    command.add(app, session);
    if (app.get_group().empty()) continue;
    EXPECT_NE(page.find(std::string(".SS \\fBmezzo ") + command.name + "\\fR\n"), page.npos)
        << command.name;
    for (const CLI::Option* option : app.get_options())
      for (const std::string& flag : option->get_lnames())
        EXPECT_NE(page.find("\\fB--" + flag + "\\fR"), page.npos) << command.name << " " << flag;
  }
}

TEST_F(Shell, TheManualIsCleanTroff) {
  if (!is_there(program_, "groff")) GTEST_SKIP() << "groff is not installed";
  const Result r = program_.shell("mezzo manual | groff -man -Tutf8 -P-cbou -ww");
  EXPECT_EQ(r.code, 0);
  EXPECT_THAT(r.err, IsEmpty());
  EXPECT_NE(r.out.find("\nEXIT STATUS\n"), r.out.npos);
}

}  // namespace
}  // namespace mezzo::test
