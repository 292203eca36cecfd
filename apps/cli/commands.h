// The commands of the program: one file each, one row here.
#pragma once

#include <array>

#include "cli/flags.h"
#include "cli/session.h"

namespace mezzo::cli {

/// Each adds its flags to `app` and sets session.command when it is chosen.
void add_generate(CLI::App& app, Session& session);
void add_batch(CLI::App& app, Session& session);
void add_redo(CLI::App& app, Session& session);
void add_models(CLI::App& app, Session& session);
void add_samplers(CLI::App& app, Session& session);
void add_info(CLI::App& app, Session& session);
void add_plan(CLI::App& app, Session& session);
void add_convert(CLI::App& app, Session& session);
void add_tokens(CLI::App& app, Session& session);
void add_bench(CLI::App& app, Session& session);
void add_selftest(CLI::App& app, Session& session);
void add_serve(CLI::App& app, Session& session);
void add_gallery(CLI::App& app, Session& session);
void add_completions(CLI::App& app, Session& session);
void add_manual(CLI::App& app, Session& session);
void add_worker(CLI::App& app, Session& session);

struct Command {
  const char* name;
  const char* summary;
  void (*add)(CLI::App& app, Session& session);
};

inline constexpr std::array kCommands = {
    Command{"generate", "Draw pictures from text", add_generate},
    Command{"batch", "Draw every line of a file", add_batch},
    Command{"redo", "Draw a picture again from the recipe inside it", add_redo},
    Command{"serve", "Serve the web page and the HTTP APIs on this machine", add_serve},
    Command{"gallery", "Look after the pictures of the server", add_gallery},
    Command{"models", "List the models that can be used, and what the shipped one can draw",
            add_models},
    Command{"samplers", "List the names that --sampler and --schedule take", add_samplers},
    Command{"info", "Explain a model file", add_info},
    Command{"plan", "Tell memory and time of a request without running it", add_plan},
    Command{"convert", "Write a model as one self-contained file", add_convert},
    Command{"tokens", "Show how a prompt is split into tokens", add_tokens},
    Command{"bench", "Measure the speed of this machine", add_bench},
    Command{"selftest", "Check the program and the machine against known values", add_selftest},
    Command{"completions", "Print the script with which a shell completes command lines",
            add_completions},
    Command{"manual", "Print the manual page", add_manual},
    Command{"worker", "The part of mezzo serve that computes", add_worker},
};

}  // namespace mezzo::cli
