#include "checkpoint/diffusers_folder.h"

#include <array>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/layouts.h"
#include "checkpoint/merged_source.h"
#include "checkpoint/open_weights.h"

namespace mezzo {
namespace {

using nlohmann::json;

constexpr std::array kTokenizerFiles = {"vocab.json",
                                        "merges.txt",
                                        "tokenizer.json",
                                        "tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "added_tokens.json",
                                        "spiece.model"};

// Weights of one network, the better file first.
constexpr std::array kWeightFiles = {"diffusion_pytorch_model.safetensors",
                                     "model.safetensors",
                                     "diffusion_pytorch_model.safetensors.index.json",
                                     "model.safetensors.index.json",
                                     "diffusion_pytorch_model.fp16.safetensors",
                                     "model.fp16.safetensors",
                                     "diffusion_pytorch_model.safetensors.index.fp16.json",
                                     "model.safetensors.index.fp16.json",
                                     "diffusion_pytorch_model.fp16.safetensors.index.json",
                                     "model.fp16.safetensors.index.json",
                                     "diffusion_pytorch_model.bin",
                                     "pytorch_model.bin",
                                     "diffusion_pytorch_model.bin.index.json",
                                     "pytorch_model.bin.index.json",
                                     "diffusion_pytorch_model.fp16.bin",
                                     "pytorch_model.fp16.bin"};
constexpr std::size_t kMaxShards = 1000;
constexpr std::size_t kShown = 64;  // characters of a file's text in messages

bool is_there(const fs::path& p) {
  std::error_code ignored;
  return fs::exists(p, ignored);
}

// A shard is a file of the same folder: a name, never a path.
bool is_basename(const std::string& s) {
  return !s.empty() && s != "." && s != ".." && s.find_first_of("/\\") == std::string::npos &&
         s.find('\0') == std::string::npos;
}

/// Tensors and the file that has each.
json weight_map(const fs::path& index) {
  const json j = read_json_file(index);
  const auto map = j.is_object() ? j.find("weight_map") : j.end();
  if (!j.is_object() || map == j.end() || !map->is_object() || map->empty())
    fail<LoadError>("{}: has no weight_map; download it again", index.string());
  return *map;
}

std::set<std::string> shards_of(const json& map, const fs::path& index) {
  std::set<std::string> files;
  for (const auto& [tensor, file] : map.items()) {
    if (!file.is_string() || !is_basename(file.get<std::string>()))
      fail<LoadError>("{}: tensor {} is said to be in {}, which is no file of this folder",
                      index.string(), tensor.substr(0, kShown),
                      file.dump(-1, ' ', true).substr(0, kShown));
    files.insert(file.get<std::string>());
  }
  if (files.size() > kMaxShards)
    fail<LoadError>("{}: {} files are too many", index.string(), files.size());
  return files;
}

std::shared_ptr<const TensorSource> open_shards(const fs::path& index) {
  const json map = weight_map(index);
  std::vector<std::shared_ptr<const TensorSource>> parts;
  for (const auto& f : shards_of(map, index))
    parts.push_back(open_weights(index.parent_path() / f));
  auto all = merged(std::move(parts), index.string());
  for (const auto& [tensor, file] : map.items())
    if (!all->has(tensor))
      fail<LoadError>("{}: tensor {} is in none of the files; download them again", index.string(),
                      tensor.substr(0, kShown));
  return all;
}

std::shared_ptr<const TensorSource> open_folder_weights(const fs::path& folder) {
  for (const std::string_view file : kWeightFiles)
    if (const fs::path p = folder / file; is_there(p))
      return file.ends_with(".json") ? open_shards(p) : open_weights(p);
  fail<LoadError>("{}: no weights (such as {}) are in this folder; the download is incomplete",
                  folder.string(), kWeightFiles[0]);
}

void read_if_there(const fs::path& file, json& to) {
  if (is_there(file)) to = read_json_file(file);
}

// model_index.json gives [library, class] for each part, [null, null] for those left out.
bool is_listed(const json& index, std::string_view component) {
  const auto it = index.find(std::string(component));
  return it != index.end() && it->is_array() && it->size() == 2 && (*it)[1].is_string();
}

Component open_component(const fs::path& folder, const std::string& component) {
  Component c;
  read_if_there(folder / "config.json", c.config);
  if (!c.config.is_null() && !c.config.is_object())
    fail<LoadError>("{}: is not a JSON object", (folder / "config.json").string());
  c.weights = canonical_component(component, open_folder_weights(folder));
  return c;
}

}  // namespace

bool is_diffusers_folder(const fs::path& path) { return is_there(path / "model_index.json"); }

std::vector<fs::path> files_behind(const fs::path& origin) {
  const std::string name = origin.filename().string();
  if (name.find(".index.") == name.npos || !name.ends_with(".json")) return {origin};
  std::vector<fs::path> files;
  for (const auto& f : shards_of(weight_map(origin), origin))
    files.push_back(origin.parent_path() / f);
  return files;
}

ModelBundle open_diffusers_folder(const fs::path& path) {
  const json index = read_json_file(path / "model_index.json");
  if (!index.is_object())
    fail<LoadError>("{}: is not a JSON object", (path / "model_index.json").string());
  ModelBundle bundle;
  bundle.path = path;
  bundle.form = "diffusers folder";
  for (const std::string_view name : kComponentNames) {
    if (!is_listed(index, name)) continue;
    if (!is_existing_folder(path / name))
      fail<LoadError>(
          "{}: model_index.json names {}, but that folder is missing; the download is incomplete",
          path.string(), name);
    bundle.components[std::string(name)] = open_component(path / name, std::string(name));
  }
  if (bundle.components.empty())
    fail<LoadError>(
        "{}: model_index.json names no network that is known here (unet, vae, text_encoder ...)",
        path.string());
  read_folder_description(path, bundle);
  return bundle;
}

Component open_component_folder(const fs::path& path, const std::string& component) {
  if (is_existing_folder(path / component)) return open_component(path / component, component);
  return open_component(path, component);
}

void read_folder_description(const fs::path& path, ModelBundle& bundle) {
  for (auto& [name, component] : bundle.components)
    read_if_there(path / name / "config.json", component.config);
  for (const std::string_view name : kTokenizerNames) {
    TokenizerFiles files;
    for (const char* file : kTokenizerFiles)
      if (const fs::path p = path / name / file; is_there(p)) files[file] = read_text_file(p);
    if (!files.empty()) bundle.tokenizers[std::string(name)] = std::move(files);
  }
  read_if_there(path / "scheduler" / "scheduler_config.json", bundle.scheduler);
  read_if_there(path / "objects.json", bundle.defaults);
}

}  // namespace mezzo
