// Command line flags that several commands share. The flags of a request are made from its field
// table (params.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/flags.h"
#include "cli/session.h"
#include "mezzotint/engine.h"

namespace mezzo::cli {

/// Which model, and how to run it.
struct ModelFlags {
  std::string model;
  std::string folders;  // separated by ':'
  EngineOptions engine;

  std::vector<std::string> folder_list() const;
  std::string find() const;  // the path; throws LoadError
};

/// What to draw. Pictures are named here and read by load().
struct RequestFlags {
  std::vector<std::string> prompts;
  GenerateParams params;
  std::vector<std::pair<std::string_view, std::string>> given;  // fields that were set, as text
  std::string init, mask;

  /// The request with its prompts ("-" reads lines from stdin) and pictures. Throws UsageError.
  GenerateParams load() const;
  /// Another request with these fields and pictures put over its own.
  GenerateParams over(GenerateParams request) const;
};

/// Where the flags that replace or supply networks of a model put their values.
struct Encoders {  // the text encoders of Stable Diffusion 3
  std::string &clip_l, &clip_g, &t5;
  bool& no_t5;
};
struct ModelParts {
  std::string &vae, &clip;
  Encoders encoders;
};
Encoders encoders_of(EngineOptions& engine);
std::vector<Flag> add_encoder_flags(CLI::App& app, const Encoders& encoders);
std::vector<Flag> add_part_flags(CLI::App& app, const ModelParts& parts);

void add_models_dir_flag(CLI::App& app, ModelFlags& flags);
/// How a model is run: --precision, --weights, --threads, --max-ram, --offload, --low-ram,
/// --prompt-cache.
void add_engine_flags(CLI::App& app, ModelFlags& flags);
void add_model_flags(CLI::App& app, ModelFlags& flags);
void add_request_flags(CLI::App& app, RequestFlags& flags);
/// --init and --mask.
void add_picture_flags(CLI::App& app, RequestFlags& flags);
void add_prompts(CLI::App& app, RequestFlags& flags);
void add_json_flag(CLI::App& app, Session& session);
void add_progress_flags(CLI::App& app, Session& session);

/// "6G", "512M", "1.5GiB", "6000000000": bytes. Throws UsageError.
std::uint64_t parse_size(std::string_view text);

/// CLI11 takes "[a, b]" among the values of a list for a list written out; prompts look like that.
/// Such arguments are marked before parsing, and the mark is taken off by add_text() and
/// RequestFlags.
std::vector<std::string> protect_brackets(std::vector<std::string> arguments);
std::string unprotected(std::string text);

}  // namespace mezzo::cli
