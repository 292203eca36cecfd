// /api/v1/images and /api/v1/recipe.
#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/format.h>

#include "server/api.h"

namespace mezzo::server {
namespace {

std::int64_t number_of(const std::string& text, bool& fine) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  fine = error == std::errc() && end == text.data() + text.size() && !text.empty();
  return number;
}

/// "2026-11-21", or nothing.
std::string date_of(const Request& request, const std::string& name) {
  const std::string& text = request.query_text(name);
  if (text.empty()) return text;
  const bool fine = text.size() == 10 && text[4] == '-' && text[7] == '-' &&
                    text.find_first_not_of("0123456789-") == text.npos;
  if (!fine)
    throw ApiError(400, "usage", fmt::format("{}: give a date such as 2026-11-21", name), name);
  return text;
}

Response search(Context& context, const Request& r) {
  constexpr auto kAny = std::numeric_limits<std::int64_t>::max();
  const GalleryQuery query{.words = r.query_text("query"),
                           .model = r.query_text("model"),
                           .sampler = r.query_text("sampler"),
                           .tag = r.query_text("tag"),
                           .since = date_of(r, "since"),
                           .until = date_of(r, "until"),
                           .favourites = r.query_text("favourite") == "true",
                           .before = query_number(r, "before", 0, 0, kAny),
                           .limit = query_number(r, "limit", 60, 1, 500)};
  return json_response(dump(context.gallery.search(query)));
}

/// The file itself; a picture never changes under its number.
Response picture(std::string bytes, const char* type) {
  Response response{.type = type, .body = std::move(bytes)};
  response.headers.emplace_back("Cache-Control", "private, max-age=86400");
  return response;
}

const char* type_of(const std::filesystem::path& file) {
  const auto extension = file.extension();
  return extension == ".png" ? "image/png" : extension == ".webp" ? "image/webp" : "image/jpeg";
}

Response thumbnail(Context& context, const Request& r) {
  return picture(
      context.gallery.thumbnail(id_in(r),
                                [&](const std::string& bytes) {
                                  return context.questions.ask({{"what", "thumbnail"}}, bytes).body;
                                }),
      "image/png");
}

Response change(Context& context, const Request& r) {
  const Json body = parse_object(r.body);
  const auto it = body.find("favourite");
  if (body.size() != 1 || it == body.end() || !it->is_boolean())
    throw ApiError(400, "usage", "favourite: give {\"favourite\": true}", "favourite");
  context.gallery.set_favourite(id_in(r), it->get<bool>());
  return json_response(dump(context.gallery.details(id_in(r))));
}

std::vector<std::int64_t> ids_in(const Json& body) {
  std::vector<std::int64_t> ids;
  const auto it = body.find("ids");
  if (it == body.end() || !it->is_array())
    throw ApiError(400, "usage", "ids: give {\"ids\": [1, 2]}", "ids");
  for (const Json& id : *it) {
    if (!id.is_number_integer()) throw ApiError(400, "usage", "ids: not whole numbers", "ids");
    ids.push_back(id.get<std::int64_t>());
  }
  return ids;
}

/// A list of texts; empty where the key is missing.
std::vector<std::string> texts_in(const Json& body, std::string_view key) {
  std::vector<std::string> texts;
  const auto it = body.find(key);
  if (it == body.end()) return texts;
  const bool fine = it->is_array() && std::ranges::all_of(*it, &Json::is_string);
  if (!fine)
    throw ApiError(400, "usage", fmt::format("{0}: give {{\"{0}\": [\"cats\"]}}", key),
                   std::string(key));
  for (const Json& text : *it) texts.push_back(text.get<std::string>());
  return texts;
}

Response tag(Context& context, const Request& r) {
  const Json body = parse_object(r.body);
  for (const auto& [key, value] : body.items())
    if (key != "ids" && key != "add" && key != "remove")
      throw ApiError(400, "usage", key + ": there is no such key; give ids, add and remove", key);
  return json_response(
      dump(context.gallery.tag(ids_in(body), texts_in(body, "add"), texts_in(body, "remove"))));
}

Response zip(Context& context, const Request& r) {
  const auto ids = ids_in(parse_object(r.body));
  Response response{.type = "application/zip", .body = context.gallery.zip(ids)};
  response.headers.emplace_back("Content-Disposition", "attachment; filename=\"mezzotint.zip\"");
  return response;
}

Response recipe(Context& context, const Request& r) {
  if (r.body.empty()) throw ApiError(400, "usage", "the body is empty; send a picture's bytes");
  const Frame answer = context.questions.ask({{"what", "recipe"}}, r.body);
  return json_response(dump(answer.head.at("result")));
}

}  // namespace

std::int64_t id_in(const Request& request) {
  bool fine = false;
  const auto id = number_of(request.places.at(0), fine);
  if (!fine) throw ApiError(404, "not_found", "there is no " + request.places.at(0));
  return id;
}

std::int64_t query_number(const Request& request, const std::string& name, std::int64_t otherwise,
                          std::int64_t low, std::int64_t high) {
  const std::string& text = request.query_text(name);
  if (text.empty()) return otherwise;
  bool fine = false;
  const auto number = number_of(text, fine);
  if (!fine || number < low || number > high)
    throw ApiError(400, "usage",
                   fmt::format("{}: give a whole number from {} to {}", name, low, high), name);
  return number;
}

void add_image_routes(Router& router, Context& context) {
  Context* c = &context;
  const std::string images = "/api/v1/images", one = images + "/{}";
  router.add("GET", images, [c](const Request& r) { return search(*c, r); });
  router.add("POST", images + "/zip", [c](const Request& r) { return zip(*c, r); });
  router.add("POST", images + "/tags", [c](const Request& r) { return tag(*c, r); });
  router.add("GET", "/api/v1/tags",
             [c](const Request&) { return json_response(dump(c->gallery.tags())); });
  router.add("GET", one,
             [c](const Request& r) { return json_response(dump(c->gallery.details(id_in(r)))); });
  router.add("GET", one + "/file", [c](const Request& r) {
    return picture(c->gallery.bytes(id_in(r)), type_of(c->gallery.file(id_in(r))));
  });
  router.add("GET", one + "/thumbnail", [c](const Request& r) { return thumbnail(*c, r); });
  router.add("PATCH", one, [c](const Request& r) { return change(*c, r); });
  router.add("DELETE", one, [c](const Request& r) {
    c->gallery.trash(id_in(r));
    return Response{.status = 204, .type = ""};
  });
  router.add("POST", one + "/restore", [c](const Request& r) {
    c->gallery.restore(id_in(r));
    return json_response(dump(c->gallery.details(id_in(r))));
  });
  router.add("POST", "/api/v1/recipe", [c](const Request& r) { return recipe(*c, r); });
}

}  // namespace mezzo::server
