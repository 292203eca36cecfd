#include "server/security.h"

#include <algorithm>
#include <array>

#include "server/api.h"

namespace mezzo::server {
namespace {

constexpr std::string_view kCookie = "mezzo_token=";

bool changes_something(const Request& r) {
  return r.method != "GET" && r.method != "HEAD" && r.method != "OPTIONS";
}

/// "127.0.0.1:7860" -> {"127.0.0.1", "7860"}; "[::1]:7860" keeps its brackets. `otherwise`: the
/// port where none is given.
std::pair<std::string, std::string> host_and_port(std::string_view text, const char* otherwise) {
  const auto colon = text.rfind(':');
  const auto bracket = text.rfind(']');
  if (colon == text.npos || (bracket != text.npos && colon < bracket))
    return {std::string(text), otherwise};
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

/// Routes that take something else than JSON, and what.
struct BodyType {
  std::string_view path, type;
};
constexpr std::array kBodyTypes = {
    BodyType{"/api/v1/recipe", "image/"},
    BodyType{"/api/v1/recipe", "application/octet-stream"},
    BodyType{"/v1/images/edits", "multipart/form-data"},
    BodyType{"/v1/images/variations", "multipart/form-data"},
};

bool is_fitting_type(const Request& r) {
  const std::string type = ascii_lower(r.header("content-type"));
  const bool empty = r.header("content-length").empty() || r.header("content-length") == "0";
  if (type.empty()) return empty && r.header("transfer-encoding").empty();
  if (type == "application/json" || type.starts_with("application/json;")) return true;
  return std::any_of(kBodyTypes.begin(), kBodyTypes.end(), [&](const BodyType& row) {
    return r.path == row.path && type.starts_with(row.type);
  });
}

std::string cookie_token(const std::string& cookies) {
  const auto at = cookies.find(kCookie);
  if (at == cookies.npos) return "";
  return cookies.substr(at + kCookie.size(),
                        cookies.find(';', at + kCookie.size()) - at - kCookie.size());
}

/// The secret in "Bearer SECRET" or "Basic base64(user:SECRET)".
std::string authorization_token(const std::string& header) {
  const auto space = header.find(' ');
  const std::string scheme = ascii_lower(header.substr(0, space));
  if (space == header.npos) return "";
  const std::string value = header.substr(header.find_first_not_of(' ', space) == header.npos
                                              ? header.size()
                                              : header.find_first_not_of(' ', space));
  if (scheme == "bearer") return value;
  if (scheme != "basic") return "";
  const std::string pair = base64_decoded(value, "Authorization");
  return pair.substr(std::min(pair.find(':') + 1, pair.size()));
}

}  // namespace

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

bool same_secret(std::string_view given, std::string_view secret) {
  std::size_t difference = given.size() ^ secret.size();
  for (std::size_t i = 0; i < given.size(); ++i)
    difference |= static_cast<unsigned char>(given[i]) ^
                  static_cast<unsigned char>(secret.empty() ? 0 : secret[i % secret.size()]);
  return difference == 0;
}

bool Security::is_own_name(const Request& request, std::string_view text,
                           const char* otherwise) const {
  const auto [own_host, own_port] = host_and_port(request.local_address, "80");
  const auto [host, port] = host_and_port(ascii_lower(text), otherwise);
  const auto is_given = [&](const std::string& name) {
    return std::ranges::find(options_.names, name) != options_.names.end();
  };
  if (is_given(host + ":" + port)) return true;  // another port: that of a proxy before this server
  if (port != own_port) return false;
  if (host == own_host || is_given(host)) return true;
  return is_loopback(own_host) && (host == "localhost" || host == "127.0.0.1" || host == "[::1]");
}

std::optional<Response> Security::check_token(const Request& r) const {
  if (options_.token.empty() || r.path == "/health") return std::nullopt;
  const std::string& query = r.query_text("token");
  if (r.path == "/" && r.method == "GET" && same_secret(query, options_.token)) {
    Response response{.status = 303, .type = ""};
    response.headers.emplace_back("Location", "/");
    response.headers.emplace_back("Set-Cookie", std::string(kCookie) + options_.token +
                                                    "; HttpOnly; SameSite=Strict; Path=/");
    return response;
  }
  if (same_secret(authorization_token(r.header("authorization")), options_.token) ||
      same_secret(cookie_token(r.header("cookie")), options_.token))
    return std::nullopt;
  if (auto page = page_without_token(r)) {
    if (page->status == 401) page->headers.emplace_back("WWW-Authenticate", "Bearer");
    return page;
  }
  Response response = error_response(
      {401, "unauthorized",
       "this server needs its token: open /?token=TOKEN once, or send it as Authorization: Bearer "
       "TOKEN"});
  response.headers.emplace_back("WWW-Authenticate",
                                r.path.starts_with("/sdapi/") ? "Basic realm=\"mezzo\"" : "Bearer");
  return response;
}

std::optional<Response> Security::refuse(const Request& r) const {
  try {
    // The header does not tell http from https, whose ports may be left out.
    const std::string& host = r.header("host");
    if (!is_own_name(r, host, "80") && !is_own_name(r, host, "443"))
      throw ApiError(403, "forbidden",
                     "the Host header does not name this server; open it by its address, or start "
                     "it with --name NAME");
    const std::string& origin = r.header("origin");
    const std::string site = origin.substr(std::min(origin.find("://"), origin.size()));
    const char* port = origin.starts_with("https://") ? "443" : "80";
    if (changes_something(r) && !origin.empty() &&
        (!site.starts_with("://") || !is_own_name(r, site.substr(3), port)))
      throw ApiError(403, "forbidden", "another site's page may not change anything here");
    if (auto refusal = check_token(r)) return refusal;
    if (changes_something(r) && !is_fitting_type(r))
      throw ApiError(403, "forbidden",
                     "the body must be sent as Content-Type: application/json (uploads as what "
                     "they are)");
    return std::nullopt;
  } catch (...) {
    return error_response(as_api_error(std::current_exception()));
  }
}

const std::vector<std::pair<std::string, std::string>>& Security::headers() {
  static const std::vector<std::pair<std::string, std::string>> kHeaders = {
      {"Content-Security-Policy",
       "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
       "form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
  };
  return kHeaders;
}

}  // namespace mezzo::server
