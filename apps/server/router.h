// Which function answers which request.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "server/http.h"

namespace mezzo::server {

using Handler = std::function<Response(const Request&)>;

class Router {
 public:
  /// pattern: "/api/v1/jobs/{}"; what stands for {} is in Request::places.
  void add(std::string method, std::string_view pattern, Handler handler);
  /// The last resort of a GET that no pattern takes (the page).
  void otherwise(Handler handler) { otherwise_ = std::move(handler); }
  /// Methods and patterns, as they were added.
  std::vector<std::pair<std::string, std::string>> routes() const;
  /// Errors become answers; never throws.
  Response operator()(Request request) const;

 private:
  struct Route {
    std::string method, pattern;
    std::vector<std::string> parts;
    Handler handler;
  };
  std::vector<Route> routes_;
  Handler otherwise_;
};

}  // namespace mezzo::server
