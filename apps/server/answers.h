// What a worker answers without drawing: lists, plans, and what is inside an uploaded picture.
#pragma once

#include <string>
#include <vector>

#include "mezzotint/engine.h"
#include "server/frames.h"

namespace mezzo::server {

struct Asking {
  EngineOptions engine;
  std::vector<std::string> folders;
};

struct Answer {
  Json result;
  std::string body = {};
};

/// Throws what the library throws; UsageError for a question that is not known.
Answer answer_question(const Asking& asking, const Frame& question);

}  // namespace mezzo::server
