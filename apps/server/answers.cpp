#include "server/answers.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "mezzotint/files.h"

namespace mezzo::server {
namespace {

constexpr std::size_t kMaxPixels = std::size_t{16} << 20;  // the largest that can be drawn
constexpr int kThumbnailSide = 320;                        // pixels

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

Answer png(const Image& image) {
  Picture picture;
  picture.image = image;
  const auto bytes = encode_picture(picture, ".png");
  return {.result = {{"width", image.width}, {"height", image.height}},
          .body = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())};
}

Answer models(const Asking& asking, const Frame&) {
  Json list = Json::array();
  for (const ModelEntry& m : list_models(asking.folders, asking.engine)) {
    const auto& d = m.defaults;
    list.push_back({{"name", m.name},
                    {"path", m.path},
                    {"family", m.family},
                    {"form", m.form},
                    {"bytes", m.bytes},
                    {"shipped", m.shipped},
                    {"inpainting", d.inpainting},
                    {"objects", m.objects},
                    {"unused", m.unused},
                    {"size_step", d.size_step},
                    {"defaults",
                     {{"width", d.width},
                      {"height", d.height},
                      {"steps", d.steps},
                      {"guidance", d.guidance},
                      {"sampler", d.sampler}}},
                    {"error", m.error}});
  }
  return {.result = {{"models", std::move(list)}}};
}

Answer tokens(const Asking& asking, const Frame& frame) {
  const std::string model = text_at(frame.head, "model");
  const TokenReport report =
      count_tokens(model, options_for(model, asking.engine), text_at(frame.head, "prompt"));
  Json pieces = Json::array();
  for (const TokenPiece& p : report.pieces) pieces.push_back({{"id", p.id}, {"text", p.text}});
  return {.result = {{"used", report.used},
                     {"limit", report.limit},
                     {"cut", report.cut},
                     {"pieces", std::move(pieces)}}};
}

Answer plan_of(const Asking& asking, const Frame& frame) {
  const GenerateParams params = params_from_json(dump(frame.head.at("params")));
  const std::string model = text_at(frame.head, "model");
  return {.result = Json::parse(to_json(plan(model, options_for(model, asking.engine), params)))};
}

Answer recipe(const Asking&, const Frame& frame) {
  const std::string text = text_at(frame.head, "infotext");
  const Recipe r =
      text.empty() ? decode_recipe(bytes_of(frame.body), text_at(frame.head, "name", "the picture"))
                   : parse_recipe(text);
  return {.result = {{"request", Json::parse(to_json(r.params))},
                     {"infotext", r.infotext},
                     {"model", r.model}}};
}

/// Whether it can be read, and its size.
Answer picture(const Asking&, const Frame& frame) {
  const Image image =
      decode_picture(bytes_of(frame.body), text_at(frame.head, "name", "the picture"), kMaxPixels);
  return {.result = {{"width", image.width}, {"height", image.height}}};
}

Answer thumbnail(const Asking&, const Frame& frame) {
  Image image = decode_picture(bytes_of(frame.body), "the picture");
  const int longest = std::max(image.width, image.height);
  if (longest > kThumbnailSide) {
    const auto side = [&](int n) {
      return std::max(1, static_cast<int>(static_cast<std::int64_t>(n) * kThumbnailSide / longest));
    };
    image = resize_picture(image, side(image.width), side(image.height));
  }
  return png(image);
}

/// The same picture, larger or smaller.
Answer resized(const Asking&, const Frame& frame) {
  const Image image = decode_picture(bytes_of(frame.body), "image", kMaxPixels);
  const double scale = number_at(frame.head, "scale", 1);
  const double width = number_at(frame.head, "width", image.width * scale);
  const double height = number_at(frame.head, "height", image.height * scale);
  if (!(width >= 1 && height >= 1 && width <= 16'384 && height <= 16'384 &&
        width * height <= static_cast<double>(kMaxPixels)))
    throw UsageError("upscaling_resize: the result would have more than 16 million pixels");
  return png(resize_picture(image, static_cast<int>(width), static_cast<int>(height)));
}

struct Question {
  std::string_view what;
  Answer (*answer)(const Asking&, const Frame&);
};
constexpr std::array kQuestions = {
    Question{"models", models},   Question{"tokens", tokens},   Question{"plan", plan_of},
    Question{"recipe", recipe},   Question{"picture", picture}, Question{"thumbnail", thumbnail},
    Question{"resized", resized},
};

}  // namespace

Answer answer_question(const Asking& asking, const Frame& question) {
  const std::string what = text_at(question.head, "what");
  const auto row = std::find_if(kQuestions.begin(), kQuestions.end(),
                                [&](const Question& q) { return q.what == what; });
  if (row == kQuestions.end()) throw UsageError("nobody knows how to answer \"" + what + "\"");
  return row->answer(asking, question);
}

}  // namespace mezzo::server
