// The program's commands and flags as plain data, read from the command line parser itself: what
// the manual and the completions are made of.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace mezzo::cli {

/// What a shell offers for a value.
enum class Offer { kNothing, kWords, kFiles, kFolders };

struct FlagInfo {
  std::vector<std::string> names;  // "-m", "--model"; none for an argument without a flag
  std::string value;               // "FILE"; empty for a switch
  std::string help;
  Offer offer = Offer::kNothing;
  std::vector<std::string> words;  // kWords: the values
  bool repeats = false;            // an argument that may be given several times

  std::string first_sentence() const;
};

struct CommandInfo {
  std::string name, summary, footer;
  std::vector<FlagInfo> flags;
  std::vector<FlagInfo> arguments;  // in their order
};

struct ProgramInfo {
  CommandInfo program;  // what stands before a command
  std::vector<CommandInfo> commands;
};

/// Everything that the help shows, in its order. Hidden commands are left out.
ProgramInfo describe_program(const CLI::App& root);

}  // namespace mezzo::cli
