// Where models are found: by path, by name in folders, in the offline cache of the Hugging Face
// hub, and beside the program itself.
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ascii.h"
#include "base/error.h"
#include "base/file.h"
#include "checkpoint/hf_cache.h"
#include "mezzotint/files.h"
#include "pipeline/model.h"
#include "pipeline/open_engine.h"
#include "pipeline/resolve.h"

namespace mezzo {
namespace {

constexpr const char* kShippedModel = "icons.gguf";
constexpr std::array<std::string_view, 7> kExtensions = {".safetensors", ".gguf", ".ckpt", ".pt",
                                                         ".pth",         ".bin",  ".sft"};
constexpr int kScanDepth = 3;                 // folders below a models folder
constexpr std::size_t kScanEntries = 10'000;  // per models folder

/// Repositories that their owners removed, and where the same files are now.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kMoved = {{
    {"runwayml/stable-diffusion-v1-5", "stable-diffusion-v1-5/stable-diffusion-v1-5"},
    {"runwayml/stable-diffusion-inpainting", "stable-diffusion-v1-5/stable-diffusion-inpainting"},
}};

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool has_model_extension(const fs::path& path) {
  const std::string extension = ascii_lower(path.extension().string());
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

bool is_model_file(const fs::path& path) {
  std::error_code error;
  return has_model_extension(path) && fs::is_regular_file(path, error);
}

bool is_diffusers_folder(const fs::path& path) { return is_there(path / "model_index.json"); }

// --- the shipped model ---

/// The folders that hold the program or the library this code was linked into.
std::vector<fs::path> own_folders() {
  std::vector<fs::path> folders;
  const auto add = [&](const fs::path& file) {
    std::error_code error;
    if (const fs::path real = fs::canonical(file, error); !error)
      folders.push_back(real.parent_path());
  };
  if (Dl_info info{};
      dladdr(reinterpret_cast<const void*>(&find_model), &info) != 0 && info.dli_fname != nullptr)
    add(info.dli_fname);
  add("/proc/self/exe");
  return folders;
}

/// The shipped model: models/icons.gguf in a folder above the program (a checkout, or an unpacked
/// archive), or share/mezzotint/models/icons.gguf (an installation).
std::optional<fs::path> shipped_model() {
  for (fs::path folder : own_folders())
    for (bool top = false; !top; folder = folder.parent_path()) {
      top = folder == folder.root_path();
      for (const fs::path& place : {folder / "models", folder / "share" / "mezzotint" / "models"})
        if (is_there(place / kShippedModel)) return place / kShippedModel;
    }
  return std::nullopt;
}

// --- the Hugging Face cache ---

/// ORG/NAME, and not the path of a model file, nor one into a folder that is here.
bool is_hub_id(std::string_view name) {
  const auto slash = name.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view org = name.substr(0, slash);
  return is_hub_name(org) && is_hub_name(name.substr(slash + 1)) && !has_model_extension(name) &&
         !is_existing_folder(org);
}

std::string present_id(std::string_view id) {
  const auto it =
      std::find_if(kMoved.begin(), kMoved.end(), [&](const auto& row) { return row.first == id; });
  return std::string(it == kMoved.end() ? id : it->second);
}

/// What of a snapshot is the model: the folder itself, or its only model file.
fs::path model_in_snapshot(const fs::path& folder, const std::string& id) {
  if (is_diffusers_folder(folder)) return folder;
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (is_model_file(entry.path())) files.push_back(entry.path());
  if (files.size() == 1) return files.front();
  std::sort(files.begin(), files.end());
  std::string names;
  for (const fs::path& f : files) names += (names.empty() ? "" : ", ") + f.string();
  if (files.empty())
    fail<LoadError>(
        "{}: its folder in the cache holds no model; download it again with: hf download {}", id,
        id);
  fail<LoadError>("{}: its folder in the cache holds several models; give one of them: {}", id,
                  names);
}

std::optional<fs::path> find_in_hub_cache(const std::string& id) {
  for (const std::string& candidate : {id, present_id(id)})
    if (const auto folder = find_in_hf_cache(candidate))
      return model_in_snapshot(*folder, candidate);
  return std::nullopt;
}

// --- models folders ---

std::optional<fs::path> find_in_folder(const fs::path& folder, const std::string& name) {
  if (is_there(folder / name)) return folder / name;
  for (const std::string_view extension : kExtensions) {
    fs::path path = folder / name;
    path += extension;
    if (is_there(path)) return path;
  }
  return std::nullopt;
}

/// Model files and diffusers folders below `folder`, sorted. Links to folders are not followed:
/// they may form circles.
std::vector<fs::path> models_below(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, error);
  for (std::size_t n = 0; !error && it != fs::recursive_directory_iterator() && n < kScanEntries;
       ++n) {
    const fs::path path = it->path();
    const bool hidden = path.filename().string().starts_with('.');
    const bool whole = !hidden && is_existing_folder(path) && is_diffusers_folder(path);
    if (whole || (!hidden && is_model_file(path))) found.push_back(path);
    if (whole || hidden || it.depth() >= kScanDepth) it.disable_recursion_pending();
    it.increment(error);
  }
  std::sort(found.begin(), found.end());
  return found;
}

[[noreturn]] void fail_missing(const std::string& name, const std::vector<std::string>& folders) {
  const fs::path path(name);
  const bool is_file = has_model_extension(path), is_path = path.has_parent_path();
  std::string places;
  if (!path.is_absolute()) {
    places = "; looked in the current folder";
    for (const std::string& folder : folders) places += ", " + folder;
    if (folders.empty()) places += " (there is no models folder: --models-dir or MEZZO_MODELS)";
  }
  fail<LoadError>("{}: {} not found{}; check the {}, or see mezzo models", name,
                  is_file   ? "file"
                  : is_path ? "file or folder"
                            : "model",
                  places, is_path ? "path" : "name");
}

/// What requests may say, and get when they say nothing: the model's networks are described, not
/// loaded.
void describe_requests(ModelEntry& entry, const EngineOptions& options) {
  const ModelBundle bundle = open_model(entry.path, open_options(options_for(entry.path, options)));
  const auto meta = make_meta_backend();
  const Model model(bundle, *meta, Precision::kF32);
  const auto d = mezzo::defaults_of(model, bundle);
  entry.defaults = {
      .width = static_cast<int>(d.width),
      .height = static_cast<int>(d.height),
      .steps = static_cast<int>(d.steps),
      .guidance = d.guidance,
      .sampler = d.sampler.empty() ? sampler_name(scheduler_config(bundle)) : d.sampler,
      .inpainting = d.inpainting,
      .size_step = static_cast<int>(d.factor)};
  entry.unused = unused_fields(model, bundle);
}

ModelEntry describe(const fs::path& path, std::string name, const EngineOptions& options) {
  ModelEntry entry;
  entry.name = std::move(name);
  entry.path = path.string();
  try {
    const FileReport report = inspect(entry.path);
    entry.family = report.family;
    entry.form = report.form;
    entry.bytes = report.bytes;
    entry.objects = report.objects;
    entry.error = report.error;
    if (entry.error.empty() && entry.family.empty())
      entry.error = fmt::format("not a whole model: {}{}{}", report.kind,
                                report.advice.empty() ? "" : "; ", report.advice);
    if (entry.error.empty()) describe_requests(entry, options);
  } catch (const std::exception& e) {  // one bad file does not hide the others
    entry.error = e.what();
  }
  return entry;
}

/// The repositories of the cache that hold a model, as {id, path}.
std::vector<std::pair<std::string, fs::path>> cached_models() {
  std::vector<std::pair<std::string, fs::path>> found;
  constexpr std::string_view kPrefix = "models--";
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(hf_cache_folder(), error)) {
    std::string id = entry.path().filename().string();
    const auto dashes = id.find("--", kPrefix.size());
    if (!id.starts_with(kPrefix) || dashes == std::string::npos) continue;
    id = id.substr(kPrefix.size()).replace(dashes - kPrefix.size(), 2, "/");
    // The cache also holds language models and the like: only whole pictures' models are listed.
    if (const auto folder = find_in_hf_cache(id); folder && is_diffusers_folder(*folder))
      found.emplace_back(id, *folder);
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::string find_model(const std::string& name, const std::vector<std::string>& folders) {
  if (name.empty()) {
    if (const auto shipped = shipped_model()) return shipped->string();
    fail<LoadError>(
        "the model that ships with Mezzotint (models/{}) is not beside the program; name a model "
        "with -m",
        kShippedModel);
  }
  const bool is_path = name.find('/') != std::string::npos || name == "." || name == "..";
  if (is_path && is_there(name)) return name;
  // A folder of pictures may bear a model's name: only a model's own folder hides the model.
  if (is_there(name) && (!is_existing_folder(name) || is_diffusers_folder(name))) return name;
  for (const std::string& folder : folders)
    if (const auto found = find_in_folder(folder, name)) return found->string();
  if (const auto shipped = shipped_model())
    if (const auto found = find_in_folder(shipped->parent_path(), name)) return found->string();
  if (is_there(name)) return name;  // opening it says what it is instead
  if (const auto found = find_in_hub_cache(name)) return found->string();
  if (is_hub_id(name))
    fail<LoadError>(
        "{}: no such file, and not in the Hugging Face cache ({}); download it with: hf download "
        "{}",
        name, hf_cache_folder().string(), present_id(name));
  fail_missing(name, folders);
}

std::vector<ModelEntry> list_models(const std::vector<std::string>& folders,
                                    const EngineOptions& options) {
  std::vector<ModelEntry> entries;
  std::set<fs::path> seen;
  const auto add = [&](const fs::path& path, const std::string& name, bool shipped) {
    std::error_code error;
    const fs::path real = fs::canonical(path, error);
    if (!seen.insert(error ? path : real).second) return;
    entries.push_back(describe(path, name, options));
    entries.back().shipped = shipped;
  };
  if (const auto shipped = shipped_model()) add(*shipped, shipped->stem().string(), true);
  for (const std::string& folder : folders)
    for (const fs::path& path : models_below(folder)) {
      const fs::path relative = path.lexically_relative(folder);
      add(path,
          is_existing_folder(path) ? relative.string()
                                   : fs::path(relative).replace_extension().string(),
          false);
    }
  for (const auto& [id, path] : cached_models()) add(path, id, false);
  return entries;
}

}  // namespace mezzo
