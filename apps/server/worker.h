// The worker process: draws, and answers questions about files, as the supervisor asks it over a
// socket (frames.h). It reads everything that comes from outside; if that kills it, only it dies.
//
// Frames to it, by "do":
//   draw     {job, model (a path), params, preview_every, init, mask (bytes in the body), mask_...}
//   cancel   {job}
//   ask      {what: models | tokens | plan | recipe | picture | thumbnail, ...}
// Frames from it, by "is": ready, loaded, progress, preview, picture, warning, done, failed,
// answer.
#pragma once

namespace mezzo::server {

/// Serves the socket until the supervisor closes it. Returns an exit code.
int worker_main(int fd);

}  // namespace mezzo::server
