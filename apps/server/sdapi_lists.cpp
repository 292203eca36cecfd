#include <array>
#include <filesystem>

#include "mezzotint/files.h"
#include "server/compat.h"
#include "server/sdapi.h"

namespace mezzo::server {
namespace {

constexpr std::size_t kMaxOptions = 2000;  // that clients may leave here

Json default_options() {
  return {{"sd_model_checkpoint", ""},      {"sd_checkpoint_hash", ""},
          {"sd_vae", "Automatic"},          {"CLIP_stop_at_last_layers", 1},
          {"samples_format", "png"},        {"jpeg_quality", 92},
          {"samples_filename_pattern", ""}, {"directories_filename_pattern", "[date]"},
          {"save_to_dirs", true},           {"outdir_samples", ""},
          {"enable_pnginfo", true},         {"randn_source", "NV"},
          {"eta_noise_seed_delta", 0},      {"emphasis", "Original"},
          {"live_previews_enable", true},   {"show_progress_every_n_steps", 2}};
}

std::string title_of(const Json& model) {
  return std::filesystem::path(text_at(model, "path")).filename().string();
}

Json options(Context& context, const SdapiOptions& set) {
  Json all = set.all();
  if (text_at(all, "sd_model_checkpoint").empty()) {
    const std::string used = context.model_in_use();
    for (const Json& m : context.catalogue.list())
      if (text_at(m, "error").empty() &&
          (text_at(m, "path") == used || text_at(all, "sd_model_checkpoint").empty()))
        all["sd_model_checkpoint"] = title_of(m);
  }
  return all;
}

Json models(Context& context) {
  Json list = Json::array();
  for (const Json& m : context.catalogue.list())
    if (text_at(m, "error").empty())
      list.push_back({{"title", title_of(m)},
                      {"model_name", text_at(m, "name")},
                      {"hash", nullptr},
                      {"sha256", nullptr},
                      {"filename", title_of(m)},
                      {"config", nullptr}});
  return list;
}

Json samplers() {
  Json list = Json::array();
  for (const auto& [name, label] : sampler_names())
    list.push_back({{"name", label},
                    {"aliases", Json::array({name, "k_" + name})},
                    {"options", Json::object()}});
  return list;
}

Json schedulers() {
  Json list = Json::array();
  const auto add = [&](const std::string& name, const std::string& label) {
    list.push_back({{"name", name},
                    {"label", label},
                    {"aliases", nullptr},
                    {"default_rho", -1},
                    {"need_inner_model", false}});
  };
  add("automatic", "Automatic");
  for (const auto& [name, label] : schedule_names()) add(name, label);
  return list;
}

/// Answers that never change.
struct Fixed {
  const char* method;
  const char* name;
  const char* body;
};
constexpr std::array kFixed = {
    Fixed{"GET", "sd-vae", "[]"},
    Fixed{"GET", "loras", "[]"},
    Fixed{"GET", "embeddings", R"({"loaded":{},"skipped":{}})"},
    Fixed{"GET", "upscalers",
          R"([{"name":"None","model_name":null,"model_path":null,"model_url":null,"scale":4},)"
          R"({"name":"Lanczos","model_name":null,"model_path":null,"model_url":null,"scale":4}])"},
    Fixed{"GET", "latent-upscale-modes", R"([{"name":"Latent"}])"},
    Fixed{"GET", "prompt-styles", "[]"},
    Fixed{"GET", "hypernetworks", "[]"},
    Fixed{"GET", "face-restorers", "[]"},
    Fixed{"GET", "realesrgan-models", "[]"},
    Fixed{"GET", "extensions", "[]"},
    Fixed{"GET", "scripts", R"({"txt2img":[],"img2img":[]})"},
    Fixed{"GET", "script-info", "[]"},
    Fixed{"GET", "cmd-flags", "{}"},
    Fixed{"POST", "refresh-vae", "null"},
    Fixed{"POST", "refresh-loras", "null"},
    Fixed{"POST", "refresh-embeddings", "null"},
    Fixed{"POST", "unload-checkpoint", "{}"},
    Fixed{"POST", "reload-checkpoint", "{}"},
};

}  // namespace

std::string SdapiOptions::text(const std::string& key) const {
  const std::scoped_lock lock(mutex_);
  return text_at(set_, key);
}

Json SdapiOptions::all() const {
  Json all = default_options();
  const std::scoped_lock lock(mutex_);
  for (const auto& [key, value] : set_.items()) all[key] = value;
  return all;
}

void SdapiOptions::set(const Json& some) {
  const std::scoped_lock lock(mutex_);
  for (const auto& [key, value] : some.items())
    if (set_.contains(key) || set_.size() < kMaxOptions) set_[key] = value;
}

void add_sdapi_lists(Router& router, Context& context, std::shared_ptr<SdapiOptions> set) {
  Context* c = &context;
  const std::string base = "/sdapi/v1/";
  router.add("GET", base + "options",
             [c, set](const Request&) { return json_response(dump(options(*c, *set))); });
  router.add("POST", base + "options", [c, set](const Request& r) {
    const Json body = parse_object(r.body);
    const std::string model = text_at(body, "sd_model_checkpoint");
    if (!model.empty() && model_called(*c, model).empty())
      throw ApiError(422, "model", "sd_model_checkpoint: there is no model \"" + model + "\"",
                     "sd_model_checkpoint");
    set->set(body);
    return json_response("null");
  });
  router.add("GET", base + "sd-models",
             [c](const Request&) { return json_response(dump(models(*c))); });
  router.add("POST", base + "refresh-checkpoints", [c](const Request&) {
    c->catalogue.list(true);
    return json_response("null");
  });
  router.add("GET", base + "samplers",
             [](const Request&) { return json_response(dump(samplers())); });
  router.add("GET", base + "schedulers",
             [](const Request&) { return json_response(dump(schedulers())); });
  router.add("GET", base + "memory", [](const Request&) {
    const Json ram = {{"free", memory_for_process()}, {"used", 0}, {"total", memory_for_process()}};
    return json_response(dump({{"ram", ram}, {"cuda", Json::object()}}));
  });
  for (const Fixed& row : kFixed)
    router.add(row.method, base + row.name,
               [body = row.body](const Request&) { return json_response(body); });
}

}  // namespace mezzo::server
