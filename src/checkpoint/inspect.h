// What a file or folder is, from headers only, without a word of judgement too early: for `mezzo
// info`, and for messages that tell people which option takes the file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/bundle.h"

namespace mezzo {

struct ComponentReport {
  std::string name;  // unet, vae ...; "tensors" for what is no network of a model
  std::size_t tensors = 0;
  std::int64_t parameters = 0;
  std::uint64_t bytes = 0;                     // as stored
  std::map<std::string, std::int64_t> dtypes;  // parameters by type name
};

struct CheckpointReport {
  std::string kind;  // "model", "UNet", "VAE", "text encoder", "LoRA", "textual inversion
                     // embedding", "unreadable" ...
  std::string form;  // "diffusers folder", "single file (LDM names, safetensors)" ...
  std::string
      family;  // "Stable Diffusion 1", "Stable Diffusion 1, inpainting" ...; empty when unknown
  std::vector<ComponentReport> components;
  std::vector<std::string> unknown;       // tensors that no rule takes
  std::vector<std::string> pickle_calls;  // what a pickle asks Python to call, and was not run
  std::string advice;                     // what to do with the file; empty for a complete model
  std::string problem;                    // why it cannot be read; empty when it can
};

/// Never throws for what is in the file: what is wrong stands in `problem`.
CheckpointReport inspect_file(const fs::path& path, const OpenOptions& options = {});

/// The size of the files that a model's networks are read from, each counted once.
std::uint64_t bytes_on_disk(const ModelBundle& bundle);

/// The family a model's networks belong to, by shapes and names; empty when unknown.
std::string family_of(const ModelBundle& bundle);

}  // namespace mezzo
