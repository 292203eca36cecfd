// mezzo serve, mezzo gallery and the hidden mezzo worker, without their command lines.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "mezzotint/engine.h"

namespace mezzo::server {

struct ServeOptions {
  std::string host = "127.0.0.1";
  int port = 7860;                   // 0: any free one
  std::string token;                 // needed for every host but this machine itself
  std::vector<std::string> names;    // by which clients call this machine
  std::string outputs = "outputs";   // the folder of the gallery
  std::vector<std::string> folders;  // with models
  EngineOptions engine;
  int drain_seconds = 60;  // that a running job gets when the server is asked to end
};

/// Serves until `stop`; prints "listening on http://HOST:PORT" once it does. Returns an exit code.
/// Throws UsageError, DeviceError.
int serve(const ServeOptions& options, std::stop_token stop);

/// Makes the index of a gallery fit its files, and tells what it did.
int rebuild_gallery(const std::string& outputs);

}  // namespace mezzo::server
