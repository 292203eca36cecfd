// What the routes work with.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "server/drawer.h"
#include "server/events.h"
#include "server/gallery.h"
#include "server/questions.h"
#include "server/queue.h"

namespace mezzo::server {

struct Context {
  Queue& queue;
  Events& events;
  Gallery& gallery;
  Drawer& drawer;
  Questions& questions;
  Catalogue& catalogue;
  std::vector<std::string> folders;  // with models

  /// The model that a request means which names none: the one used last.
  std::string model_in_use() const {
    const auto loaded = drawer.loaded();
    return loaded.empty() ? "" : loaded.front();
  }
};

}  // namespace mezzo::server
