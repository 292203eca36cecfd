// What A1111 does with finished pictures: reads their settings, enlarges them.
#include <fmt/format.h>

#include "server/api.h"
#include "server/sdapi.h"

namespace mezzo::server {
namespace {

constexpr std::size_t kMostEnlarged = 64;               // pictures in one request
constexpr std::size_t kMostEnlargedBytes = 128u << 20;  // of its answer

Response png_info(Context& context, const Request& r) {
  try {
    const Json body = parse_object(r.body);
    const std::string bytes = base64_decoded(text_at(body, "image"), "image");
    const Json found = context.questions.ask({{"what", "recipe"}}, bytes).head.at("result");
    return json_response(dump({{"info", found.at("infotext")},
                               {"items", {{"parameters", found.at("infotext")}}},
                               {"parameters", found.at("request")}}));
  } catch (const ApiError& e) {
    if (std::string_view(e.what()).find("holds no recipe") == std::string_view::npos)
      return sdapi_refusal(e);
    return json_response(
        dump({{"info", ""}, {"items", Json::object()}, {"parameters", Json::object()}}));
  }
}

std::string enlarged(Context& context, const Json& body, const std::string& picture) {
  Json question = {{"what", "resized"}, {"scale", number_at(body, "upscaling_resize", 2)}};
  if (number_at(body, "resize_mode", 0) != 0) {
    question["width"] = number_at(body, "upscaling_resize_w", 512);
    question["height"] = number_at(body, "upscaling_resize_h", 512);
  }
  return base64(context.questions.ask(question, base64_decoded(picture, "image")).body);
}

/// One picture under "image", or several under "imageList".
Response enlarge(Context& context, const Request& r) {
  try {
    const Json body = parse_object(r.body);
    Json answer = {{"html_info", ""}};
    const auto list = body.find("imageList");
    if (list == body.end()) {
      answer["image"] = enlarged(context, body, text_at(body, "image"));
      return json_response(dump(answer));
    }
    if (!list->is_array() || list->size() > kMostEnlarged)
      throw ApiError(422, "usage", fmt::format("imageList: give up to {} pictures", kMostEnlarged),
                     "imageList");
    answer["images"] = Json::array();
    std::size_t bytes = 0;
    for (const Json& entry : *list) {
      std::string picture =
          enlarged(context, body, entry.is_object() ? text_at(entry, "data") : std::string());
      bytes += picture.size();
      if (bytes > kMostEnlargedBytes)
        throw ApiError(422, "usage", "imageList: the results are too large; send fewer pictures",
                       "imageList");
      answer["images"].push_back(std::move(picture));
    }
    return json_response(dump(answer));
  } catch (...) {
    return sdapi_refusal(as_api_error(std::current_exception()));
  }
}

}  // namespace

Response sdapi_refusal(const ApiError& e) {
  Json body = {{"error", e.code}, {"detail", e.what()}, {"body", ""}, {"errors", e.what()}};
  if (e.status == 422 || (e.status == 400 && !e.field.empty()))
    body["detail"] = Json::array(
        {{{"loc", Json::array({"body", e.field})}, {"msg", e.what()}, {"type", "value_error"}}});
  const int status = e.status == 400 ? 422 : e.status;
  Response response = json_response(dump(body), status);
  if (status == 429 || status == 503) response.headers.emplace_back("Retry-After", "5");
  return response;
}

void add_sdapi_pictures(Router& router, Context& context) {
  Context* c = &context;
  const std::string base = "/sdapi/v1/";
  router.add("POST", base + "png-info", [c](const Request& r) { return png_info(*c, r); });
  for (const char* name : {"extra-single-image", "extra-batch-images"})
    router.add("POST", base + name, [c](const Request& r) { return enlarge(*c, r); });
  router.add("POST", base + "interrogate", [](const Request&) {
    return sdapi_refusal({404, "not_found", "there is no network here that describes pictures"});
  });
}

}  // namespace mezzo::server
