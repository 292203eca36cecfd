// How --help looks: the flags without CLI11's notes, texts wrapped to the width of a terminal.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace mezzo::cli {

class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();
  std::string make_option_name(const CLI::Option* option, bool positional) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

}  // namespace mezzo::cli
