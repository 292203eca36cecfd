#include "checkpoint/bundle_gguf.h"

#include <algorithm>

#include "base/json.h"
#include "weights/cast_source.h"

namespace mezzo {
namespace {

constexpr std::string_view kKey = "mezzotint.";
constexpr std::uint32_t kVersion = 1;

std::string key(std::string_view part) { return std::string(kKey) + std::string(part); }

// Reads one tensor and leaves it in `out` as the type asked for.
void fill_converted(const TensorSource& source, std::size_t index, DType type,
                    std::span<std::byte> out) {
  const TensorInfo& t = source.tensors()[index];
  if (t.dtype == type) return source.read(index, out);
  Tensor in(host(), t.dtype, t.shape);
  source.read(index, {in.data<std::byte>(), in.bytes()});
  convert_values(t.dtype, in.data<std::byte>(), in.numel(), type, out.data());
}

nlohmann::json json_value(const Gguf& file, const std::string& name, const fs::path& path) {
  const auto text = file.string(name);
  return text ? parse_json(*text, path.string() + ": " + name) : nlohmann::json();
}

// The names under a key: known ones, each once.
std::vector<std::string> names(const Gguf& file, std::string_view part,
                               std::span<const std::string_view> known, const fs::path& path) {
  auto all = file.strings(key(part)).value_or(std::vector<std::string>());
  for (std::size_t i = 0; i < all.size(); ++i)
    if (std::ranges::find(known, all[i]) == known.end() ||
        std::find(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(i), all[i]) !=
            all.begin() + static_cast<std::ptrdiff_t>(i))
      fail<LoadError>("{}: {} \"{}\" is unknown or named twice; the file is damaged or newer",
                      path.string(), key(part), all[i].substr(0, 64));
  return all;
}

}  // namespace

void write_bundle(const ModelBundle& bundle, const fs::path& out, const DTypePolicy& policy) {
  GgufWriter writer;
  writer.set("general.architecture", std::string_view("mezzotint"));
  writer.set("general.name", std::string_view(model_name(bundle.path)));
  writer.set("general.quantization_version", std::uint32_t{2});
  writer.set(key("version"), kVersion);
  std::vector<std::string> components, tokenizers;
  for (const auto& [name, component] : bundle.components) {
    components.push_back(name);
    if (!component.config.is_null()) writer.set(key(name + ".config"), component.config.dump());
  }
  for (const auto& [name, files] : bundle.tokenizers) {
    tokenizers.push_back(name);
    for (const auto& [file, text] : files) writer.set(key(name + "." + file), text);
  }
  writer.set(key("components"), components);
  writer.set(key("tokenizers"), tokenizers);
  if (!bundle.scheduler.is_null()) writer.set(key("scheduler"), bundle.scheduler.dump());
  if (!bundle.defaults.is_null()) writer.set(key("defaults"), bundle.defaults.dump());
  for (const auto& [name, component] : bundle.components) {
    const auto& tensors = component.weights->tensors();
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      TensorInfo stored = tensors[i];
      stored.name = name + "." + stored.name;
      stored.dtype = policy(name, tensors[i]);
      writer.add(stored, [source = component.weights, i, type = stored.dtype](
                             std::span<std::byte> to) { fill_converted(*source, i, type, to); });
    }
  }
  writer.write(out);
}

bool is_bundle(const Gguf& file) { return file.values().contains(key("version")); }

ModelBundle read_bundle(const std::shared_ptr<const Gguf>& file, const fs::path& path) {
  if (const auto version = file->integer(key("version")); version != kVersion)
    fail<LoadError>("{}: Mezzotint model version {}; this build reads version {}: update Mezzotint",
                    path.string(), version.value_or(-1), kVersion);
  ModelBundle bundle;
  bundle.path = path;
  bundle.form = "Mezzotint GGUF";
  for (const auto& name : names(*file, "components", kComponentNames, path)) {
    Component c{with_prefix_removed(file, name + "."),
                json_value(*file, key(name + ".config"), path)};
    if (c.weights->tensors().empty())
      fail<LoadError>("{}: has no tensors of its network \"{}\"; the file is damaged",
                      path.string(), name);
    bundle.components[name] = std::move(c);
  }
  for (const auto& name : names(*file, "tokenizers", kTokenizerNames, path)) {
    const std::string begin = key(name + ".");
    for (auto it = file->values().lower_bound(begin);
         it != file->values().end() && it->first.starts_with(begin); ++it)
      if (auto text = file->string(it->first))
        bundle.tokenizers[name][it->first.substr(begin.size())] = std::move(*text);
  }
  bundle.scheduler = json_value(*file, key("scheduler"), path);
  bundle.defaults = json_value(*file, key("defaults"), path);
  if (bundle.components.empty())
    fail<LoadError>("{}: names no networks; the file is damaged", path.string());
  return bundle;
}

}  // namespace mezzo
