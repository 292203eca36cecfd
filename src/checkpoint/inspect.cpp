#include "checkpoint/inspect.h"

#include <array>
#include <set>

#include "base/error.h"
#include "checkpoint/diffusers_folder.h"
#include "checkpoint/layouts.h"
#include "checkpoint/open_weights.h"
#include "checkpoint/require.h"
#include "checkpoint/torch_pickle.h"

namespace mezzo {
namespace {

// The width that cross attention reads tells the text encoder, and so the family.
struct Family {
  std::int64_t context;
  const char* name;
};
constexpr std::array kFamilies = {
    Family{768, "Stable Diffusion 1"}, Family{1024, "Stable Diffusion 2"},
    Family{2048, "Stable Diffusion XL"}, Family{1280, "Stable Diffusion XL refiner"}};

// Networks that are something by themselves.
struct Single {
  const char *component, *kind, *advice;
};
constexpr std::array kSingles = {
    Single{"unet", "UNet",
           "the file has only the UNet: give --vae and --clip too, and a folder with the configs"},
    Single{
        "transformer", "transformer",
        "the file has only the transformer: give --clip-l, --clip-g, --t5 (or --no-t5) and --vae "
        "too"},
    Single{"text_encoder_3", "T5 text encoder",
           "give a Stable Diffusion 3 model with -m and this file with --t5"},
    Single{"vae", "VAE", "give a model with -m and this file with --vae"},
    Single{"text_encoder", "text encoder",
           "give a model with -m and this file with --clip (Stable Diffusion 3: --clip-l or "
           "--clip-g)"},
};

ComponentReport count(const std::string& name, const TensorSource& source) {
  ComponentReport r{name, source.tensors().size(), 0, 0, {}};
  for (const auto& t : source.tensors()) {
    r.parameters += t.shape.numel();
    r.bytes += t.bytes();
    r.dtypes[std::string(mezzo::name(t.dtype))] += t.shape.numel();
  }
  return r;
}

const TensorInfo* tensor(const TensorSource& s, std::string_view name) {
  const auto i = s.find(name);
  return i < 0 ? nullptr : &s.tensors()[static_cast<std::size_t>(i)];
}

// The second dimension of the first cross attention's key matrix.
std::int64_t context_width(const TensorSource& unet) {
  for (const auto& t : unet.tensors())
    if (t.name.ends_with("attn2.to_k.weight") && t.shape.rank() == 2) return t.shape[1];
  return 0;
}

// Medium of 3.5 attends to the picture twice in its first blocks, Large only has norms of queries
// and keys, 3 has neither.
std::string transformer_family(const TensorSource& transformer) {
  if (transformer.has("transformer_blocks.0.attn2.to_q.weight"))
    return "Stable Diffusion 3.5 Medium";
  if (transformer.has("transformer_blocks.0.attn.norm_q.weight"))
    return "Stable Diffusion 3.5 Large";
  return "Stable Diffusion 3 Medium";
}

void report_bundle(const ModelBundle& bundle, CheckpointReport& r) {
  r.form = bundle.form;
  r.kind = "model";
  r.unknown = bundle.unknown;
  r.family = family_of(bundle);
  for (const auto& [name, c] : bundle.components) r.components.push_back(count(name, *c.weights));
  if (bundle.components.size() == 1)
    for (const auto& single : kSingles)
      if (bundle.components.contains(single.component)) {
        r.kind = single.kind;
        r.advice = single.advice;
        return;
      }
  try {
    require_components(bundle);
  } catch (const LoadError& e) {
    r.advice = e.what();
  }
}

// A file that open_model() refuses: a part of a model, or something else.
void report_other(const fs::path& path, CheckpointReport& r) {
  const auto source = open_weights(path);
  const auto found = find_networks(source);
  r.form = std::string(name(detect_format(path)));
  if (const auto* kind = foreign_kind(*source)) {
    r.kind = kind->kind;
    r.advice = kind->advice;
    r.components.push_back(count("tensors", *source));
    return;
  }
  r.kind = "unknown";
  for (const auto& [name, weights] : found.components)
    r.components.push_back(count(name, *weights));
  for (const auto& single : kSingles)
    if (found.components.size() == 1 && found.components.contains(single.component)) {
      r.kind = single.kind;
      r.advice = single.advice;
    }
  if (found.components.empty()) r.components.push_back(count("tensors", *source));
  r.unknown = found.unknown;
}

void report_pickle(const fs::path& path, CheckpointReport& r) {
  try {
    if (detect_format(path) == FileFormat::kTorch)
      for (const auto& call : pickle_requests(path).called)
        r.pickle_calls.push_back(call + " -- not run");
  } catch (const LoadError&) {
    // The problem is reported by whoever opens the file.
  }
}

}  // namespace

std::uint64_t bytes_on_disk(const ModelBundle& bundle) {
  std::set<fs::path> files;
  for (const auto& [name, c] : bundle.components)
    for (auto& file : files_behind(c.weights->origin())) files.insert(std::move(file));
  std::uint64_t bytes = 0;
  for (const auto& file : files) bytes += fs::file_size(file);
  return bytes;
}

std::string family_of(const ModelBundle& bundle) {
  if (const auto it = bundle.components.find("transformer"); it != bundle.components.end())
    return transformer_family(*it->second.weights);
  const auto it = bundle.components.find("unet");
  if (it == bundle.components.end()) return {};
  const TensorSource& unet = *it->second.weights;
  const std::int64_t context = context_width(unet);
  std::string family = context > 0 ? "Stable Diffusion of its own size" : "unconditional UNet";
  for (const auto& row : kFamilies)
    if (row.context == context) family = row.name;
  if (const auto* conv = tensor(unet, "conv_in.weight"); conv && conv->shape.rank() == 4) {
    if (conv->shape[1] == 9) family += ", inpainting";
    if (conv->shape[1] == 8) family += ", image editing (8 channels)";
  }
  return family;
}

CheckpointReport inspect_file(const fs::path& path, const OpenOptions& options) {
  CheckpointReport r;
  std::error_code ignored;
  const bool folder = fs::is_directory(path, ignored);
  if (!folder) report_pickle(path, r);
  try {
    report_bundle(open_model(path, options), r);
    return r;
  } catch (const LoadError& e) {
    r.problem = e.what();
  }
  try {
    if (!folder) {
      report_other(path, r);
      r.problem.clear();  // it can be read, it is only no model
      return r;
    }
  } catch (const LoadError& e) {
    r.problem = e.what();
  }
  r.kind = "unreadable";
  return r;
}

}  // namespace mezzo
