// The web page: the files of apps/web/dist, embedded when the program was built; a few words where
// there were none. Names with a hash in them never change their content.
#include <algorithm>
#include <string_view>

#include "server/api.h"
#include "server/page_files.h"

namespace mezzo::server {
namespace {

constexpr const char* kNoPage =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Mezzotint</title>"
    "<h1>Mezzotint</h1><p>The server runs, but this program was built without its web page. The "
    "API is there: see docs/http_api.md, or <a href=\"/api/v1/models\">the models</a>.</p></html>";

struct Type {
  std::string_view ending, type;
};
constexpr Type kTypes[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".webp", "image/webp"},
    {".woff2", "font/woff2"},
    {".json", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".txt", "text/plain; charset=utf-8"},
};

std::string type_of(std::string_view path) {
  for (const Type& row : kTypes)
    if (path.ends_with(row.ending)) return std::string(row.type);
  return "application/octet-stream";
}

bool takes_gzip(const Request& r) {
  return r.header("accept-encoding").find("gzip") != std::string::npos;
}

const PageFile* find_file(std::string_view path) {
  const auto files = page_files();
  const auto it =
      std::find_if(files.begin(), files.end(), [&](const PageFile& f) { return f.path == path; });
  return it == files.end() ? nullptr : &*it;
}

void fill_body(Response& response, const PageFile& file, const Request& r) {
  if (takes_gzip(r) && !file.gzip.empty()) {
    response.headers.emplace_back("Content-Encoding", "gzip");
    response.body = std::string(file.gzip);
  } else {
    response.body = std::string(file.bytes);
  }
}

Response serve_file(const PageFile& file, const Request& r) {
  Response response{.type = type_of(file.path)};
  const std::string etag = "\"" + std::string(file.etag) + "\"";
  response.headers.emplace_back("ETag", etag);
  response.headers.emplace_back("Vary", "Accept-Encoding");
  response.headers.emplace_back("Cache-Control", file.path.starts_with("/assets/")
                                                     ? "public, max-age=31536000, immutable"
                                                     : "no-cache");
  if (r.header("if-none-match") == etag) {
    response.status = 304;
    return response;
  }
  fill_body(response, file, r);
  return response;
}

}  // namespace

std::optional<Response> page_without_token(const Request& r) {
  if (r.method != "GET") return std::nullopt;
  const bool root = r.path == "/" && r.header("accept").find("text/html") != std::string::npos;
  const PageFile* file = root                             ? find_file("/index.html")
                         : r.path.starts_with("/assets/") ? find_file(r.path)
                                                          : nullptr;
  if (file == nullptr) return std::nullopt;
  if (!root) return serve_file(*file, r);
  Response response{.status = 401, .type = type_of(file->path)};
  response.headers.emplace_back("Cache-Control", "no-store");
  fill_body(response, *file, r);
  return response;
}

void add_page(Router& router) {
  router.otherwise([](const Request& r) -> Response {
    const std::string path = r.path == "/" ? "/index.html" : r.path;
    if (const PageFile* file = find_file(path)) return serve_file(*file, r);
    if (path != "/index.html") throw ApiError(404, "not_found", "there is nothing at this address");
    return {.type = "text/html; charset=utf-8", .body = kNoPage};
  });
}

}  // namespace mezzo::server
