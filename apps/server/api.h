// The routes, by family: each adds its own to the router. docs/http_api.md is their contract.
#pragma once

#include <optional>

#include "mezzotint/params.h"
#include "server/context.h"
#include "server/router.h"

namespace mezzo::server {

void add_job_routes(Router& router, Context& context);
void add_image_routes(Router& router, Context& context);
void add_model_routes(Router& router, Context& context);
void add_health_routes(Router& router, Context& context);
void add_sdapi_routes(Router& router, Context& context);   // A1111's web UI
void add_openai_routes(Router& router, Context& context);  // OpenAI's Images API
void add_openapi_route(Router& router);  // describes the native routes of this router
/// The page, for every GET that nothing else takes.
void add_page(Router& router);

/// What a browser without the token gets: the page, which asks for it, and the page's own files.
/// They hold nothing of the user's. nullopt: this is something else, or there is no page.
std::optional<Response> page_without_token(const Request& request);

/// A job's request from a body of /api/v1. Throws ApiError naming the field.
struct Submission;
Submission native_submission(Context& context, const std::string& body);

/// What a field of the parameter table holds: text, boolean, integer or number.
const char* type_of(const Field& field);
/// The values that a field of the parameter table allows; empty: any.
Json choices_of(const Field& field);

/// A number of a route or a query. Throws ApiError (`field`, 400; a route's: 404).
std::int64_t id_in(const Request& request);
std::int64_t query_number(const Request& request, const std::string& name, std::int64_t otherwise,
                          std::int64_t low, std::int64_t high);

}  // namespace mezzo::server
