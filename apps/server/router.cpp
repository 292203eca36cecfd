#include "server/router.h"

#include <algorithm>

#include <fmt/format.h>

namespace mezzo::server {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const auto end = std::min(path.find('/'), path.size());
    parts.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return parts;
}

bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path,
             std::vector<std::string>& places) {
  if (pattern.size() != path.size()) return false;
  places.clear();
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (pattern[i] == "{}")
      places.push_back(path[i]);
    else if (pattern[i] != path[i])
      return false;
  }
  return true;
}

}  // namespace

void Router::add(std::string method, std::string_view pattern, Handler handler) {
  routes_.push_back({std::move(method), std::string(pattern), split(pattern), std::move(handler)});
}

std::vector<std::pair<std::string, std::string>> Router::routes() const {
  std::vector<std::pair<std::string, std::string>> list;
  for (const Route& route : routes_) list.emplace_back(route.method, route.pattern);
  return list;
}

Response Router::operator()(Request request) const {
  try {
    const bool head = request.method == "HEAD";
    if (head) request.method = "GET";
    const auto path = split(request.path);
    std::string others;
    // A route that names the whole path goes before those that leave a part open.
    const bool named = std::ranges::any_of(routes_, [&](const Route& r) {
      return r.parts == path && r.pattern.find("{}") == r.pattern.npos;
    });
    for (const Route& route : routes_) {
      if (named ? route.parts != path : !matches(route.parts, path, request.places)) continue;
      if (route.method == request.method) return route.handler(request);
      others += (others.empty() ? "" : ", ") + route.method;
    }
    if (request.method == "OPTIONS") {
      Response response{.status = 204, .type = ""};
      response.headers.emplace_back("Allow", others.empty() ? "GET" : others);
      return response;
    }
    if (!others.empty()) {
      Response response = error_response(
          {405, "method", fmt::format("{} cannot be done here, but {}", request.method, others)});
      response.headers.emplace_back("Allow", others);
      return response;
    }
    if (request.method == "GET" && otherwise_) return otherwise_(request);
    throw ApiError(404, "not_found", "there is nothing at this address");
  } catch (...) {
    return error_response(as_api_error(std::current_exception()));
  }
}

}  // namespace mezzo::server
