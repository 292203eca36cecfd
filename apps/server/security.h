// Who may ask: the server's own page and programs that know the token, never another site's page in
// the user's browser. Rules of docs/http_api.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/http.h"

namespace mezzo::server {

struct SecurityOptions {
  std::string token;               // "": none is needed
  std::vector<std::string> names;  // further names of this server that Host may hold, without port
};

class Security {
 public:
  explicit Security(SecurityOptions options) : options_(std::move(options)) {}

  /// The refusal of a request, judged by its head; nullopt: it may pass.
  std::optional<Response> refuse(const Request& request) const;
  /// Headers of every answer.
  static const std::vector<std::pair<std::string, std::string>>& headers();

 private:
  /// otherwise: the port of a host that names none.
  bool is_own_name(const Request& request, std::string_view host, const char* otherwise) const;
  std::optional<Response> check_token(const Request& request) const;

  SecurityOptions options_;
};

/// "127.0.0.1", "::1", "localhost".
bool is_loopback(const std::string& host);
/// Takes the same time wherever the texts differ.
bool same_secret(std::string_view given, std::string_view secret);

}  // namespace mezzo::server
