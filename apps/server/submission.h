// From what a client asks to a job: values checked, the model found, pictures looked at, before
// anything is queued.
#pragma once

#include <string>

#include "server/context.h"

namespace mezzo::server {

struct PictureInput {
  std::string bytes;  // empty: none
  Json shown;         // as the job's request shows it: {"image": 31} or true
};

/// A request in the terms of the field table.
struct Submission {
  Json params = Json::object();  // what params_from_json takes
  std::string model;             // a name of the list; "": the one in use
  PictureInput init, mask;
  int preview_every = 2;
  Json draw = Json::object();  // further keys for the worker: mask_invert ...
};

/// The job that it makes, not yet in the queue. Throws ApiError and UsageError naming the field.
Job make_job(Context& context, Submission submission);

}  // namespace mezzo::server
