// The rows of the table of families, and what they share.
#pragma once

#include <memory>

#include "base/log.h"
#include "checkpoint/bundle.h"
#include "models/clip/clip_text.h"
#include "pipeline/family.h"
#include "text/clip_tokenizer.h"

namespace mezzo {

Family stable_diffusion();    // 1.x and 2.x: a UNet and one CLIP
Family stable_diffusion_3();  // 3 and 3.5: an MMDiT, two CLIPs and T5

/// The config of a component, or what its tensors tell.
template <class Config>
Config config_of(const ModelBundle& bundle, const std::string& name) {
  const auto& c = bundle.components.at(name);
  return c.config.is_null() ? Config::detect(*c.weights)
                            : Config::parse(c.config, fmt::format("{}/{}/config.json",
                                                                  bundle.path.string(), name));
}

/// Builds a network and reports what its file holds beyond it.
template <class Network, class Config>
Network build(const ModelBundle& bundle, const std::string& name, Backend& backend,
              Precision precision, const Config& config) {
  const Weights w(bundle.components.at(name).weights, backend, precision, name);
  Network network(w, config);
  if (const auto unused = w.finish(); !unused.empty() && backend.has_data())
    log_warning("{}: {} tensors of the {} are not used, such as {}", bundle.path.string(),
                unused.size(), name, unused.front());
  return network;
}

/// CLIP's tokenizer from the bundle's files, or CLIP's own, padded with `pad` (empty: the end
/// token), where it brings none. Throws LoadError when it does not fit the text encoder.
ClipTokenizer make_clip_tokenizer(const ModelBundle& bundle, const std::string& name,
                                  const ClipTextConfig& text, const std::string& pad);
/// Rows of ids for an encoder, on the host: int32 [1, L].
Tensor as_ids(const std::vector<int>& ids);
TokenReport token_report(const ClipTokenizer& tokenizer, const std::string& text, int limit);

}  // namespace mezzo
