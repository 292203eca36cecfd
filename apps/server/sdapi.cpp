// /sdapi/v1: AUTOMATIC1111's web UI, for the programs that speak to it (reference: its
// modules/api). Unknown keys are ignored, as it does.
#include "server/sdapi.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <mutex>

#include <fmt/format.h>

#include "mezzotint/files.h"
#include "server/api.h"
#include "server/compat.h"

namespace mezzo::server {
namespace {

constexpr double kJpegQuality = 92;

/// A1111's key for a field of ours.
struct NumberKey {
  const char* theirs;
  const char* ours;
  bool whole;
};
constexpr std::array kNumbers = {
    NumberKey{"steps", "steps", true},         NumberKey{"cfg_scale", "guidance", false},
    NumberKey{"width", "width", true},         NumberKey{"height", "height", true},
    NumberKey{"seed", "seed", true},           NumberKey{"eta", "eta", false},
    NumberKey{"clip_skip", "clip_skip", true},
};

/// A number, or its text; nothing where it is left out or null. Throws ApiError.
std::optional<double> number_of(const Json& body, const char* key) {
  const auto it = body.find(key);
  if (it == body.end() || it->is_null()) return std::nullopt;
  const auto number = loose_number(body, key);
  if (!number) throw ApiError(422, "usage", fmt::format("{}: give a number", key), key);
  return number;
}

void read_numbers(const Json& body, Json& params) {
  for (const NumberKey& key : kNumbers) {
    const auto number = number_of(body, key.theirs);
    if (!number) continue;
    if (key.whole)
      params[key.ours] = whole(*number);
    else
      params[key.ours] = *number;
  }
}

void read_sampler(const Json& body, Json& params) {
  std::string name = text_at(body, "sampler_name");
  if (name.empty()) name = text_at(body, "sampler_index");
  if (!name.empty()) {
    // "DPM++ 2M Karras": the schedule at the end is understood further down as well.
    for (const auto& [schedule, label] : schedule_names())
      if (sampler_called(name).empty() && name.ends_with(" " + label)) {
        name.resize(name.size() - label.size() - 1);
        params["schedule"] = schedule;
      }
    const std::string sampler = sampler_called(name);
    if (sampler.empty()) throw ApiError(404, "not_found", "Sampler not found");
    params["sampler"] = sampler;
  }
  const std::string scheduler = text_at(body, "scheduler");
  if (scheduler.empty()) return;
  if (scheduler == "automatic" || scheduler == "Automatic") {  // the sampler's own choice
    if (params.contains("sampler") && !params.contains("schedule"))
      params["schedule"] = "automatic";
    return;
  }
  const std::string schedule = schedule_called(scheduler);
  if (schedule.empty()) throw ApiError(404, "not_found", "Scheduler not found");
  params["schedule"] = schedule;
}

/// Numbers of A1111 that nothing here takes, with what leaves them out of use.
struct UnusedNumber {
  const char* key;
  double idle;
};
constexpr std::array kUnusedNumbers = {UnusedNumber{"subseed_strength", 0},
                                       UnusedNumber{"s_churn", 0},
                                       UnusedNumber{"s_tmin", 0},
                                       UnusedNumber{"s_noise", 1},
                                       UnusedNumber{"s_min_uncond", 0},
                                       UnusedNumber{"initial_noise_multiplier", 1},
                                       UnusedNumber{"eta_noise_seed_delta", 0}};

/// What is asked for and cannot be done: it is left out, and said.
Json unsupported(const Json& body) {
  Json names = Json::array();
  for (const char* key : {"restore_faces", "tiling", "enable_hr"})
    if (flag_at(body, key, false)) names.push_back(key);
  for (const auto& [key, idle] : kUnusedNumbers)
    if (number_at(body, key, idle) != idle) names.push_back(key);
  for (const char* key : {"seed_resize_from_w", "seed_resize_from_h"})
    if (number_at(body, key, -1) > 0) names.push_back(key);
  for (const char* key : {"script_name", "refiner_checkpoint"})
    if (!text_at(body, key).empty() && text_at(body, key) != "None") names.push_back(key);
  if (const auto it = body.find("styles"); it != body.end() && it->is_array() && !it->empty())
    names.push_back("styles");
  if (number_at(body, "resize_mode", 0) == 3) names.push_back("resize_mode");  // in latents
  if (const auto it = body.find("alwayson_scripts"); it != body.end() && it->is_object())
    for (const auto& [name, value] : it->items()) names.push_back("alwayson_scripts." + name);
  return names;
}

/// The options, with what this request overrides.
Json settings_of(const Json& body, const SdapiOptions& options) {
  Json set = options.all();
  if (const auto it = body.find("override_settings"); it != body.end() && it->is_object())
    for (const auto& [key, value] : it->items()) set[key] = value;
  return set;
}

void read_settings(const Json& set, Submission& s) {
  const auto skip = loose_number(set, "CLIP_stop_at_last_layers");
  if (!s.params.contains("clip_skip") && skip && *skip > 1) s.params["clip_skip"] = whole(*skip);
  if (s.params.contains("clip_skip") && s.params["clip_skip"] < 1) s.params.erase("clip_skip");
  if (text_at(set, "randn_source") == "CPU") s.params["rng"] = "cpu";
  const std::string format = text_at(set, "samples_format");
  if (format == "jpg" || format == "jpeg" || format == "webp")
    s.draw["extension"] = "." + (format == "jpeg" ? "jpg" : format);
  s.draw["quality"] = std::clamp<std::int64_t>(
      whole(loose_number(set, "jpeg_quality").value_or(kJpegQuality)), 1, 100);
  const auto every = loose_number(set, "show_progress_every_n_steps");
  if (every) s.preview_every = static_cast<int>(std::clamp(*every, 0.0, 1000.0));
  if (!flag_at(set, "live_previews_enable", true)) s.preview_every = 0;
}

Submission submission_of(Context& context, const Json& body, const SdapiOptions& options) {
  Submission s;
  for (const char* key : {"prompt", "negative_prompt"}) {
    const auto it = body.find(key);
    if (it != body.end() && !it->is_string() && !it->is_null())
      throw ApiError(422, "usage", fmt::format("{}: give a text", key), key);
    s.params[key] = text_at(body, key);
  }
  read_numbers(body, s.params);
  read_sampler(body, s.params);
  const double count =
      number_of(body, "batch_size").value_or(1) * number_of(body, "n_iter").value_or(1);
  if (count > 1) s.params["count"] = whole(count);
  const Json set = settings_of(body, options);
  read_settings(set, s);
  const std::string model = text_at(set, "sd_model_checkpoint");
  s.model = model_called(context, model);
  if (!model.empty() && s.model.empty())
    throw ApiError(422, "model", "sd_model_checkpoint: there is no model \"" + model + "\"",
                   "sd_model_checkpoint");
  return s;
}

/// A field whose values are numbered.
template <std::size_t N>
const char* numbered(const Json& body, const char* key, const std::array<const char*, N>& names) {
  const double number = number_at(body, key, 0);
  if (!(number >= 0 && number < static_cast<double>(N)))
    throw ApiError(422, "usage", fmt::format("{}: give 0 to {}", key, N - 1), key);
  return names[static_cast<std::size_t>(number)];
}

void add_mask(const Json& body, const std::string& mask, Submission& s) {
  s.mask = {base64_decoded(mask, "mask"), true};
  s.draw["mask_fit"] = true;
  s.draw["mask_invert"] = number_at(body, "inpainting_mask_invert", 0) != 0;
  const double blur =
      number_of(body, "mask_blur").value_or(number_of(body, "mask_blur_x").value_or(4));
  s.params["mask_blur"] = whole(blur);
  s.params["masked_content"] =
      numbered(body, "inpainting_fill", std::array{"fill", "original", "noise", "empty"});
  s.params["only_masked"] =
      flag_at(body, "inpaint_full_res", number_at(body, "inpaint_full_res", 1) != 0);
  s.draw["mask_may_be_blank"] = s.params["only_masked"];
  s.params["mask_padding"] = whole(number_of(body, "inpaint_full_res_padding").value_or(0));
}

void add_pictures(const Json& body, Submission& s) {
  const auto images = body.find("init_images");
  if (images == body.end() || !images->is_array() || images->empty() || !(*images)[0].is_string())
    throw ApiError(404, "not_found", "Init image not found");
  s.init = {base64_decoded((*images)[0].get_ref<const std::string&>(), "init_images"), true};
  s.params["strength"] = number_of(body, "denoising_strength").value_or(0.75);
  s.params["fit"] = numbered(body, "resize_mode", std::array{"stretch", "crop", "pad", "stretch"});
  if (const std::string mask = text_at(body, "mask"); !mask.empty()) add_mask(body, mask, s);
}

/// Settings as people copy them from pictures: they fill what the request leaves open.
void fill_from_infotext(Context& context, const Json& body, Submission& s) {
  const std::string infotext = text_at(body, "infotext");
  if (infotext.empty()) return;
  const Json found =
      context.questions.ask({{"what", "recipe"}, {"infotext", infotext}}).head.at("result");
  for (const auto& [key, value] : found.at("request").items())
    if (!s.params.contains(key) || s.params[key] == "") s.params[key] = value;
}

std::string timestamp() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y%m%d%H%M%S", &parts);
  return text.data();
}

/// A sampler as A1111 calls it.
std::string label_of(const std::string& sampler) {
  for (const auto& [name, label] : sampler_names())
    if (name == sampler) return label;
  return sampler;
}

/// The JSON text under "info".
std::string info_of(const Job& job, const Json& body, const Json& left_out) {
  Json prompts = Json::array(), negatives = Json::array(), seeds = Json::array(),
       texts = Json::array(), subseeds = Json::array();
  Json recipe = Json::object();
  for (const Drawn& d : job.drawn) {
    recipe = Json::parse(text_at(d.head, "recipe", "{}"), nullptr, false);
    prompts.push_back(d.head.at("prompt"));
    negatives.push_back(text_at(recipe, "negative_prompt"));
    seeds.push_back(d.head.at("seed"));
    subseeds.push_back(-1);
    texts.push_back(d.head.at("infotext"));
  }
  const Json& first = job.drawn.front().head;
  Json extra = Json::object();
  if (!left_out.empty()) extra["Not supported"] = left_out;
  const Json info = {{"prompt", prompts[0]},
                     {"all_prompts", prompts},
                     {"negative_prompt", negatives[0]},
                     {"all_negative_prompts", negatives},
                     {"seed", seeds[0]},
                     {"all_seeds", seeds},
                     {"subseed", -1},
                     {"all_subseeds", subseeds},
                     {"subseed_strength", 0},
                     {"width", first.at("width")},
                     {"height", first.at("height")},
                     {"sampler_name", label_of(text_at(recipe, "sampler"))},
                     {"cfg_scale", number_at(recipe, "guidance", 0)},
                     {"steps", static_cast<std::int64_t>(number_at(recipe, "steps", 0))},
                     {"batch_size", whole(std::max(number_at(body, "batch_size", 1), 1.0))},
                     {"restore_faces", false},
                     {"face_restoration_model", nullptr},
                     {"sd_model_name", text_at(recipe, "model")},
                     {"sd_model_hash", text_at(first, "hash")},
                     {"sd_vae_name", nullptr},
                     {"sd_vae_hash", nullptr},
                     {"seed_resize_from_w", -1},
                     {"seed_resize_from_h", -1},
                     {"denoising_strength",
                      body.contains("denoising_strength") ? body.at("denoising_strength") : Json()},
                     {"extra_generation_params", extra},
                     {"index_of_first_image", 0},
                     {"infotexts", texts},
                     {"styles", Json::array()},
                     {"job_timestamp", timestamp()},
                     {"clip_skip", static_cast<std::int64_t>(number_at(recipe, "clip_skip", 1))},
                     {"is_using_inpainting_conditioning", false},
                     {"version", version()}};
  return dump(info);
}

Response draw(Context& context, const Request& r, const SdapiOptions& options, bool from_image) {
  try {
    Json body = parse_object(r.body);
    Submission s = submission_of(context, body, options);
    if (from_image) add_pictures(body, s);
    fill_from_infotext(context, body, s);
    const Json left_out = unsupported(body);
    if (!left_out.empty() && r.header("prefer").find("handling=strict") != std::string::npos)
      throw ApiError(422, "usage", "not supported: " + dump(left_out), left_out[0]);
    const bool save = flag_at(body, "save_images", false);
    if (save) s.draw.erase("extension");  // the gallery keeps PNG
    const bool send = flag_at(body, "send_images", true);
    if (!flag_at(body, "include_init_images", false)) {
      body.erase("init_images");
      body.erase("mask");
    }
    auto answer = [body, left_out, send](const Job& job) {
      Json images = Json::array();
      for (const Drawn& d : job.drawn)
        if (send) images.push_back(base64(d.png));
      Response response = json_response(
          dump({{"images", images}, {"parameters", body}, {"info", info_of(job, body, left_out)}}));
      if (!left_out.empty()) response.headers.emplace_back("X-SD-Warnings", dump(left_out));
      return response;
    };
    return wait_for_job(context, std::move(s), save, std::move(answer), sdapi_refusal);
  } catch (...) {
    return sdapi_refusal(as_api_error(std::current_exception()));
  }
}

Response progress(Context& context, const Request& r) {
  const auto job = context.queue.running();
  Json state = {{"skipped", false}, {"interrupted", false}, {"stopping_generation", false},
                {"job", ""},        {"job_count", 0},       {"job_timestamp", timestamp()},
                {"job_no", 0},      {"sampling_step", 0},   {"sampling_steps", 0}};
  Json answer = {{"progress", 0.0}, {"eta_relative", 0.0}};
  Json image;
  if (job) {
    const Json at = job->progress.is_object() ? job->progress : Json::object();
    const double count = std::max(1.0, number_at(at, "pictures", 1));
    const double no = number_at(at, "picture", 0), step = number_at(at, "step", 0),
                 steps = std::max(1.0, number_at(at, "steps", 1));
    const bool drawing = text_at(at, "phase") == "denoise" || text_at(at, "phase") == "decode";
    answer["progress"] =
        std::min(1.0, 0.01 + no / count + (drawing ? step / (steps * count) : 0.0));
    answer["eta_relative"] = number_at(at, "seconds_left", 0);
    state["job"] = job_name(job->id);
    state["job_count"] = static_cast<int>(count);
    state["job_no"] = static_cast<int>(no);
    state["sampling_step"] = static_cast<int>(drawing ? step : 0);
    state["sampling_steps"] = static_cast<int>(drawing ? steps : 0);
    state["interrupted"] = job->cancelling;
    if (r.query_text("skip_current_image") != "true") image = job->last_preview;
  }
  answer["state"] = state;
  answer["current_image"] = image;
  answer["textinfo"] = nullptr;
  answer["current_task"] = job ? Json(job_name(job->id)) : Json();
  return json_response(dump(answer));
}

/// Only what runs for a client of this interface: the page's jobs are not theirs to stop.
void interrupt(Context& context) {
  const auto job = context.queue.running();
  if (job && job->passing) cancel_quietly(context.queue, job->id);
}

}  // namespace

void add_sdapi_routes(Router& router, Context& context) {
  Context* c = &context;
  const auto options = std::make_shared<SdapiOptions>();
  const std::string base = "/sdapi/v1/";
  router.add("POST", base + "txt2img",
             [c, options](const Request& r) { return draw(*c, r, *options, false); });
  router.add("POST", base + "img2img",
             [c, options](const Request& r) { return draw(*c, r, *options, true); });
  router.add("GET", base + "progress", [c](const Request& r) { return progress(*c, r); });
  router.add("POST", base + "interrupt", [c](const Request&) {
    interrupt(*c);
    return json_response("{}");
  });
  router.add("POST", base + "skip", [c](const Request&) {
    interrupt(*c);
    return json_response("null");
  });
  add_sdapi_pictures(router, context);
  add_sdapi_lists(router, context, options);
}

}  // namespace mezzo::server
