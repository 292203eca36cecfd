// /sdapi/v1.
#include "server/api.h"

namespace mezzo::server {
void add_sdapi_routes(Router&, Context&) {}
void add_openai_routes(Router&, Context&) {}
}  // namespace mezzo::server
