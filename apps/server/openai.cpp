// /v1: OpenAI's Images API. Masks there are the other way round: transparent is repainted.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>

#include <fmt/format.h>

#include "mezzotint/files.h"
#include "server/api.h"
#include "server/compat.h"
#include "server/multipart.h"

namespace mezzo::server {
namespace {

constexpr std::size_t kMostWaiting = 128u << 20;  // bytes of pictures that a client has yet to read

Response refuse(const ApiError& e) {
  const std::string field = e.field == "width" || e.field == "height" ? "size" : e.field;
  const char* type = e.status < 500 ? "invalid_request_error" : "server_error";
  Response response = json_response(dump({{"error",
                                           {{"message", e.what()},
                                            {"type", type},
                                            {"param", field.empty() ? Json() : Json(field)},
                                            {"code", e.code}}}}),
                                    e.status);
  if (e.status == 429 || e.status == 503) response.headers.emplace_back("Retry-After", "5");
  return response;
}

/// "512x768" -> width and height of the parameters.
void read_size(const std::string& size, Json& params) {
  if (size.empty() || size == "auto") return;
  std::int64_t width = 0, height = 0;
  const char* end = size.data() + size.size();
  const auto first = std::from_chars(size.data(), end, width);
  const bool cross = first.ec == std::errc() && first.ptr != end && *first.ptr == 'x';
  if (!cross || std::from_chars(first.ptr + 1, end, height).ptr != end)
    throw ApiError(400, "usage", "size: give one such as 512x512, or auto", "size");
  params["width"] = width;
  params["height"] = height;
}

/// Keys that other programs add at the top, and ours. All are numbers.
struct ExtraKey {
  const char* theirs;
  const char* ours;
};
constexpr std::array kExtras = {
    ExtraKey{"seed", "seed"},          ExtraKey{"steps", "steps"},
    ExtraKey{"cfg_scale", "guidance"}, ExtraKey{"num_inference_steps", "steps"},
    ExtraKey{"strength", "strength"},  ExtraKey{"guidance_scale", "guidance"},
};

bool is_given(const Json& body, const char* key) {
  const auto it = body.find(key);
  return it != body.end() && !it->is_null() && *it != "";  // forms send what is left out as ""
}

/// A number, or its text as forms have it, from least to most. Throws ApiError.
double number_between(const Json& body, const char* key, double least, double most,
                      double otherwise) {
  if (!is_given(body, key)) return otherwise;
  const auto number = loose_number(body, key);
  if (!number || *number < least || *number > most)
    throw ApiError(400, "usage", fmt::format("{}: give a number from {} to {}", key, least, most),
                   key);
  return *number;
}

/// The extra keys, each checked by the range of our field.
void read_extras(const Json& body, Json& params) {
  for (const ExtraKey& key : kExtras) {
    if (!is_given(body, key.theirs)) continue;
    Json value = body.at(key.theirs);
    if (const auto number = loose_number(body, key.theirs))
      value = *number == std::floor(*number) ? Json(whole(*number)) : Json(*number);
    try {
      GenerateParams checked;
      set_field(checked, key.ours, value.is_string() ? value.get<std::string>() : dump(value));
    } catch (const UsageError& e) {
      throw ApiError(400, "usage", e.what(), key.theirs);
    }
    params[key.ours] = std::move(value);
  }
}

/// {"a": 1} between these marks in a prompt, as stable-diffusion.cpp's clients send it.
void take_extra_args(std::string& prompt, Json& body) {
  constexpr std::string_view kBegin = "<sd_cpp_extra_args>", kEnd = "</sd_cpp_extra_args>";
  const auto begin = prompt.find(kBegin);
  const auto end = prompt.find(kEnd);
  if (begin == prompt.npos || end == prompt.npos || end < begin) return;
  const Json extra = parse_object(
      std::string_view(prompt).substr(begin + kBegin.size(), end - begin - kBegin.size()));
  prompt.erase(begin, end + kEnd.size() - begin);
  for (const auto& [key, value] : extra.items()) body[key] = value;
}

Submission submission_of(Context& context, Json& body) {
  Submission s;
  std::string prompt = text_at(body, "prompt");
  take_extra_args(prompt, body);
  s.params["prompt"] = prompt;
  read_extras(body, s.params);
  const double count = number_between(body, "n", 1, 10, 1);
  if (count != std::floor(count))
    throw ApiError(400, "usage", "n: give a whole number from 1 to 10", "n");
  s.params["count"] = whole(count);
  for (const char* key : {"negative_prompt", "sampler"})
    if (const std::string text = text_at(body, key); !text.empty()) s.params[key] = text;
  if (const std::string text = text_at(body, "scheduler"); !text.empty())
    s.params["schedule"] = text;
  read_size(text_at(body, "size"), s.params);
  s.model = model_called(context, text_at(body, "model"));  // others' names: the one in use
  return s;
}

struct Output {
  std::string format = "png";
  int quality = 92;
  bool url = false, streamed = false;
  int previews = 0;  // of a streamed answer
};

/// True, or its text in a form.
bool is_true(const Json& body, const char* key) {
  return flag_at(body, key, text_at(body, key) == "true");
}

Output output_of(const Json& body) {
  Output o;
  o.format = text_at(body, "output_format", "png");
  if (o.format != "png" && o.format != "jpeg" && o.format != "webp")
    throw ApiError(400, "usage", "output_format: give png, jpeg or webp", "output_format");
  o.quality = std::max(1, static_cast<int>(number_between(body, "output_compression", 0, 100, 92)));
  o.streamed = is_true(body, "stream");
  o.url = !o.streamed && text_at(body, "response_format") == "url";
  o.previews = static_cast<int>(number_between(body, "partial_images", 0, 3, 0));
  return o;
}

std::string size_of(const Drawn& d) {
  return fmt::format("{}x{}", whole(number_at(d.head, "width", 0)),
                     whole(number_at(d.head, "height", 0)));
}

std::int64_t now() { return static_cast<std::int64_t>(std::time(nullptr)); }

/// The whole answer at the end. host: where links lead.
Response answer_at_end(Context& context, Submission submission, const Output& output,
                       const std::string& host) {
  auto answer = [output, host](const Job& job) {
    Json data = Json::array();
    for (std::size_t i = 0; i < job.drawn.size(); ++i)
      data.push_back(output.url && i < job.images.size()
                         ? Json{{"url", "http://" + host + text_at(job.images[i], "url")}}
                         : Json{{"b64_json", base64(job.drawn[i].png)}});
    Json body = {{"created", now()},
                 {"data", data},
                 {"output_format", output.url ? "png" : output.format},
                 {"size", size_of(job.drawn.front())}};
    if (!job.warnings.empty()) body["warnings"] = job.warnings;  // ours
    return json_response(dump(body));
  };
  return wait_for_job(context, std::move(submission), output.url, std::move(answer), refuse);
}

/// Steps between previews that give so many of them on the way.
int preview_every(Context& context, const Submission& s, int previews) {
  if (previews == 0) return 0;
  const Json model = context.catalogue.find(s.model, context.model_in_use());
  const double usual = number_at(model.value("defaults", Json::object()), "steps", 25);
  return std::max(1,
                  static_cast<int>(std::clamp(number_at(s.params, "steps", usual), 1.0, 1000.0)) /
                      (previews + 1));
}

/// Server-sent events: previews on the way, then every picture. kind: image_generation, image_edit.
Response answer_in_events(Context& context, Submission submission, const Output& output,
                          const std::string& kind) {
  submission.preview_every = preview_every(context, submission, output.previews);
  Job job = make_job(context, std::move(submission));
  auto stream = std::make_shared<Stream>(kMostWaiting);
  const auto send = [stream, kind](const std::string& what, Json data) {
    data["type"] = kind + "." + what;
    stream->push(fmt::format("event: {}.{}\ndata: {}\n\n", kind, what, dump(data)));
  };
  job.on_preview = [send, left = output.previews, index = 0](const std::string& png) mutable {
    if (left-- > 0)
      send("partial_image", {{"b64_json", base64(png)},
                             {"partial_image_index", index++},
                             {"created_at", now()},
                             {"output_format", "png"}});
  };
  job.passing = true;
  job.draw["preview_format"] = ".png";
  job.save = false;
  job.on_picture = [send, format = output.format](const Drawn& d) {
    send("completed", {{"b64_json", base64(d.png)},
                       {"created_at", now()},
                       {"size", size_of(d)},
                       {"output_format", format}});
  };
  job.on_end = [stream](const Job& over) {
    if (over.state != JobState::kCompleted)
      stream->push(fmt::format("event: error\ndata: {}\n\n", refuse(error_of(over)).body));
    stream->close();
  };
  Queue* queue = &context.queue;
  const auto id = job_number(text_at(queue->submit(std::move(job)), "id")).value();
  stream->on_abandoned([queue, id] { cancel_quietly(*queue, id); });
  Response response{.type = "text/event-stream"};
  response.stream = stream;
  return response;
}

Response run(Context& context, Submission submission, const Request& r, const Json& body,
             const char* kind) {
  const Output output = output_of(body);
  if (!output.url) {  // the gallery keeps PNG
    submission.draw["extension"] = "." + output.format;
    submission.draw["quality"] = output.quality;
  }
  if (output.streamed) return answer_in_events(context, std::move(submission), output, kind);
  return answer_at_end(context, std::move(submission), output, r.header("host"));
}

void need_prompt(const Json& body) {
  if (text_at(body, "prompt").empty())
    throw ApiError(400, "usage", "prompt: there is none; say what to draw", "prompt");
}

Response generate(Context& context, const Request& r) {
  Json body = parse_object(r.body);
  need_prompt(body);
  Submission s = submission_of(context, body);
  return run(context, std::move(s), r, body, "image_generation");
}

/// Texts of a form as a JSON object; pictures go to the submission.
Response edit(Context& context, const Request& r, bool variation) {
  const auto parts = parse_multipart(r.header("content-type"), r.body);
  Json body = Json::object();
  std::string image, mask;
  for (const Part& part : parts) {
    if ((part.name == "image" || part.name == "image[]") && image.empty())
      image = part.bytes;
    else if (part.name == "mask")
      mask = part.bytes;
    else if (part.name != "image[]")
      body[part.name] = part.bytes;
  }
  if (image.empty()) throw ApiError(400, "usage", "image: there is none", "image");
  if (!variation) need_prompt(body);
  Submission s = submission_of(context, body);
  s.init = {std::move(image), true};
  if (variation) {
    s.params["prompt"] = "";
    if (!s.params.contains("strength")) s.params["strength"] = 0.6;
  }
  if (!mask.empty()) {
    s.mask = {std::move(mask), true};
    s.draw["mask_transparent"] = true;
    s.draw["mask_fit"] = true;
  } else if (!variation) {
    s.draw["mask_from_init"] = true;  // a picture with holes: they are painted
  }
  return run(context, std::move(s), r, body, "image_edit");
}

Response models(Context& context) {
  Json list = Json::array();
  for (const Json& m : context.catalogue.list())
    if (text_at(m, "error").empty())
      list.push_back({{"id", text_at(m, "name")},
                      {"object", "model"},
                      {"created", 0},
                      {"owned_by", "mezzotint"}});
  return json_response(dump({{"object", "list"}, {"data", std::move(list)}}));
}

Handler guarded(Handler handler) {
  return [handler = std::move(handler)](const Request& r) {
    try {
      return handler(r);
    } catch (...) {
      return refuse(as_api_error(std::current_exception()));
    }
  };
}

}  // namespace

void add_openai_routes(Router& router, Context& context) {
  Context* c = &context;
  router.add("POST", "/v1/images/generations",
             guarded([c](const Request& r) { return generate(*c, r); }));
  router.add("POST", "/v1/images/edits",
             guarded([c](const Request& r) { return edit(*c, r, false); }));
  router.add("POST", "/v1/images/variations",
             guarded([c](const Request& r) { return edit(*c, r, true); }));
  router.add("GET", "/v1/models", guarded([c](const Request&) { return models(*c); }));
}

}  // namespace mezzo::server
