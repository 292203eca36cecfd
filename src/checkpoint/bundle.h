// A model as it lies on disk, whatever its form: networks with canonical (diffusers) tensor names,
// configs, tokenizers.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "weights/source.h"

namespace mezzo {

/// The networks and tokenizers that a model may have, by their folders in a diffusers model.
/// Nothing else is looked at, whatever a file names.
inline constexpr std::array<std::string_view, 6> kComponentNames = {
    "unet", "transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3"};
inline constexpr std::array<std::string_view, 3> kTokenizerNames = {"tokenizer", "tokenizer_2",
                                                                    "tokenizer_3"};

/// One network. `config` is its config.json, or null where the file brings none (then it is
/// detected from the tensors).
struct Component {
  std::shared_ptr<const TensorSource> weights;
  nlohmann::json config;
};

/// The files of a tokenizer, as text: vocab.json, merges.txt, tokenizer_config.json ... by file
/// name.
using TokenizerFiles = std::map<std::string, std::string>;

struct ModelBundle {
  fs::path path;
  std::string
      form;  // "diffusers folder", "single file (LDM names, safetensors)", "Mezzotint GGUF" ...
  std::map<std::string, Component>
      components;  // unet, vae, text_encoder (later text_encoder_2, transformer ...)
  std::map<std::string, TokenizerFiles> tokenizers;  // tokenizer, tokenizer_2 ...
  nlohmann::json scheduler;                          // scheduler_config.json, or null
  nlohmann::json
      defaults;  // the model's recommended settings and what it can draw (objects.json), or null
  std::vector<std::string> unknown;  // tensors that no rule took, by their names in the file
  bool no_t5 = false;                // T5 was left out on purpose
};

/// Of a component's name: text_encoder, text_encoder_2 ...
inline bool is_text_encoder(std::string_view component) {
  return component.starts_with("text_encoder");
}

/// As people call a model: the file's name without its ending, the folder's name, or the
/// repository ("org/name") of a folder in the Hugging Face cache.
std::string model_name(const fs::path& model);

struct OpenOptions {
  // Replace or supply these networks: a file or folder each. clip: the text encoder of SD 1 and 2;
  // the others are those of SD 3.
  fs::path vae = {}, clip = {}, clip_l = {}, clip_g = {}, t5 = {};
  bool no_t5 = false;  // leave T5 out: SD 3 models draw without it too
  /// A diffusers folder that gives configs, tokenizers and scheduler for a single file.
  fs::path config = {};
};

/// Opens a file or folder, choosing the reader by content, never by name. Reads headers only.
/// Throws LoadError: what the file is instead, what is wrong or missing, and which option helps.
ModelBundle open_model(const fs::path& path, const OpenOptions& options = {});

}  // namespace mezzo
