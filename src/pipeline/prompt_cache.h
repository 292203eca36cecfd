// Encoded prompts in a folder, so that text encoders need not be read for a prompt that was encoded
// before: a safetensors file for each, named after the SHA-256 of everything that its values depend
// on. The prompt itself is not in it.
#pragma once

#include <optional>
#include <string>

#include "base/file.h"
#include "checkpoint/bundle.h"
#include "pipeline/text_conditioner.h"

namespace mezzo {

class PromptCache {
 public:
  /// The folder is made when it is not there. Throws DeviceError where that cannot be.
  PromptCache(fs::path folder, const ModelBundle& bundle, Precision precision);

  /// Values on the host; nothing where the prompt is new. A file that is not what it should be is
  /// ignored with a warning, and written again by keep().
  std::optional<TextEmbedding> find(const Prompt& prompt, const TextSettings& settings) const;
  /// `embedding`: on the host. What cannot be written is told by a warning. Then forgets those
  /// prompts that were not used for longest, down to 1 GB.
  void keep(const Prompt& prompt, const TextSettings& settings,
            const TextEmbedding& embedding) const;

 private:
  std::string key(const Prompt& prompt, const TextSettings& settings) const;
  fs::path file(const std::string& key) const { return folder_ / (key + ".safetensors"); }
  void forget_oldest() const;

  fs::path folder_;
  std::string encoders_;  // hash of the text encoders, their tokenizers and their precision
};

}  // namespace mezzo
