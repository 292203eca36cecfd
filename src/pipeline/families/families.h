// The rows of the table of families, and what they share.
#pragma once

#include <functional>
#include <memory>
#include <optional>

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

/// Where a network comes from and how much of it stays in memory.
struct NetworkSource {
  NetworkSource(const ModelBundle& bundle, std::string component)
      : path(bundle.path.string()),
        name(std::move(component)),
        weights(bundle.components.at(name).weights) {}

  std::string path, name;
  std::shared_ptr<const TensorSource> weights;
  std::optional<std::uint64_t> held = {};  // bytes of weights; nothing: all
  bool tells_unused = true;                // warns of what the file holds beyond the network
};

/// Builds a network and reports what its file holds beyond it.
template <class Network, class Config>
Network build(const NetworkSource& from, const Loading& loading, const Config& config) {
  const bool denoises = !is_text_encoder(from.name);
  Weights w(from.weights, loading.backend,
            denoises ? loading.precision : loading.of_text_encoders(), from.name);
  if (from.held) w.stream(*from.held);
  Network network(w, config);
  if (const auto unused = w.finish();
      !unused.empty() && from.tells_unused && loading.backend.has_data())
    log_warning("{}: {} tensors of the {} are not used, such as {}", from.path, unused.size(),
                from.name, unused.front());
  return network;
}

/// A text encoder, in memory as the strategy has it.
template <class Network, class Config>
class TextEncoder {
 public:
  TextEncoder(const ModelBundle& bundle, const std::string& component, const Loading& loading,
              const Config& config)
      : source_(bundle, component), loading_(loading), config_(config) {
    using enum MemoryStrategy::Encoders;
    if (loading.strategy.encoders == kStreamed) source_.held = 0;
    if (loading.strategy.encoders == kKept && !loading.strategy.once) network();
  }

  /// Reads it where it is not in memory.
  const Network& network() const {
    if (!network_) {
      network_.emplace(build<Network>(source_, loading_, config_));
      source_.tells_unused = false;  // once is enough
    }
    return *network_;
  }
  /// Its texts are encoded. last: those of the whole request.
  void release(bool last) const {
    const MemoryStrategy& s = loading_.strategy;
    const bool stays = s.encoders == MemoryStrategy::Encoders::kKept && !(s.once && last);
    if (stays || !network_) return;
    network_.reset();
    loading_.backend.trim();
  }
  const Config& config() const { return config_; }

 private:
  mutable NetworkSource source_;
  Loading loading_;
  Config config_;
  mutable std::optional<Network> network_;
};

/// CLIP's tokenizer from the bundle's files, or CLIP's own, padded with `pad` (empty: the end
/// token), where it brings none. Throws LoadError when it does not fit the text encoder.
ClipTokenizer make_clip_tokenizer(const ModelBundle& bundle, const std::string& name,
                                  const ClipTextConfig& text, const std::string& pad);
/// A row for each text by a network that reads those with the same settings together: few at a
/// time, so that working memory does not grow with their number. ids: of one text; network: of ids
/// on the host, int32 [B, L], to B rows.
std::vector<TextEmbedding> encode_texts(
    std::span<const TextRequest> requests,
    const std::function<std::vector<int>(const TextRequest&)>& ids,
    const std::function<TextEmbedding(const Tensor& ids, const TextSettings&)>& network);
TokenReport token_report(const ClipTokenizer& tokenizer, const std::string& text, int limit);

}  // namespace mezzo
