#include "pipeline/tokens.h"

#include "mezzotint/files.h"
#include "models/clip/clip_text.h"
#include "pipeline/model.h"
#include "pipeline/open_engine.h"

namespace mezzo {

TokenReport token_report(const ClipTokenizer& tokenizer, const std::string& prompt, int limit) {
  TokenReport report;
  for (auto& piece : tokenizer.pieces(prompt))
    report.pieces.push_back({.id = piece.id, .text = std::move(piece.text)});
  const auto tokens = tokenizer.tokenize(prompt, limit);
  report.used = tokens.n_tokens;
  report.limit = limit;
  report.cut = tokens.cut;
  return report;
}

TokenReport count_tokens(const std::string& model, const EngineOptions& options,
                         const std::string& prompt) {
  const auto bundle = open_model(model, open_options(options));
  const auto configs = ModelConfigs::of(bundle);
  return token_report(make_tokenizer(bundle, configs.text), prompt,
                      static_cast<int>(configs.text.max_position_embeddings));
}

}  // namespace mezzo
