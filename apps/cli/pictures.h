// Saving what was drawn, and telling about it.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "cli/output_names.h"
#include "cli/session.h"

namespace mezzo::cli {

/// Where pictures and previews go.
struct OutputFlags {
  std::string output;
  std::string preview;
  int preview_every = 5;
  int quality = 92;
};
void add_output_flag(CLI::App& app, OutputFlags& flags);
void add_preview_flags(CLI::App& app, OutputFlags& flags);

/// Makes the engine report previews into the file that was asked for.
void add_preview(RunOptions& run, const OutputFlags& flags, Session& session);

/// {"file", "prompt", "seed", "width", "height", "seconds", "infotext", "request"}
nlohmann::ordered_json picture_json(const Picture& picture, const fs::path& file);

/// The commands generate and redo: checks the output, opens the model, draws, saves and tells.
/// Returns an exit code.
int draw(Session& session, const ModelFlags& model, const GenerateParams& request,
         const OutputFlags& output);

}  // namespace mezzo::cli
