// The web page: its built files where there are any, else a few words.
#include "server/api.h"

namespace mezzo::server {
namespace {

constexpr const char* kNoPage =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Mezzotint</title>"
    "<h1>Mezzotint</h1><p>The server runs, but this program was built without its web page. The "
    "API is there: see docs/http_api.md, or <a href=\"/api/v1/models\">the models</a>.</p></html>";

}  // namespace

void add_page(Router& router) {
  router.otherwise([](const Request& r) -> Response {
    if (r.path != "/" && r.path != "/index.html")
      throw ApiError(404, "not_found", "there is nothing at this address");
    return {.type = "text/html; charset=utf-8", .body = kNoPage};
  });
}

}  // namespace mezzo::server
