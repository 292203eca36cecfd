#include "pipeline/families/families.h"

#include <algorithm>

#include "base/error.h"

namespace mezzo {

ClipTokenizer make_clip_tokenizer(const ModelBundle& bundle, const std::string& name,
                                  const ClipTextConfig& text, const std::string& pad) {
  const auto it = bundle.tokenizers.find(name);
  const auto file = [&](const char* file_name) -> std::string_view {
    const auto f = it->second.find(file_name);
    return f == it->second.end() ? std::string_view() : f->second;
  };
  ClipTokenizer tokenizer =
      it == bundle.tokenizers.end()
          ? ClipTokenizer::built_in({.pad = pad})
          : ClipTokenizer::from_files({.vocab = file("vocab.json"),
                                       .merges = file("merges.txt"),
                                       .config = file("tokenizer_config.json"),
                                       .special_tokens = file("special_tokens_map.json"),
                                       .origin = bundle.path.string() + "/" + name});
  if (tokenizer.size() > text.vocab_size)
    fail<LoadError>(
        "{}: the tokenizer has {} entries, the text encoder {}; they belong to different models "
        "(give a folder with the right tokenizer by --config)",
        bundle.path.string(), tokenizer.size(), text.vocab_size);
  return tokenizer;
}

namespace {
Tensor as_ids(const std::vector<std::vector<int>>& rows) {
  const auto length = static_cast<std::int64_t>(rows.front().size());
  Tensor ids(host(), DType::kI32, {static_cast<std::int64_t>(rows.size()), length});
  auto* to = ids.data<std::int32_t>();
  for (const auto& row : rows) to = std::ranges::copy(row, to).out;
  return ids;
}
}  // namespace

std::vector<TextEmbedding> encode_texts(
    std::span<const TextRequest> requests,
    const std::function<std::vector<int>(const TextRequest&)>& ids,
    const std::function<TextEmbedding(const Tensor& ids, const TextSettings&)>& network) {
  constexpr std::size_t kAtOnce = 2;  // a prompt and what a picture shall not show
  std::vector<TextEmbedding> rows;
  while (rows.size() < requests.size()) {
    const TextSettings& settings = requests[rows.size()].settings;
    std::vector<std::vector<int>> some;
    for (const TextRequest& r : requests.subspan(rows.size())) {
      if (some.size() == kAtOnce || r.settings != settings) break;
      some.push_back(ids(r));
    }
    const TextEmbedding out = network(as_ids(some), settings);
    for (std::int64_t i = 0; i < std::ssize(some); ++i)
      rows.push_back({.tokens = out.tokens.slice(0, i, i + 1),
                      .pooled = out.pooled ? out.pooled.slice(0, i, i + 1) : Tensor()});
  }
  return rows;
}

TokenReport token_report(const ClipTokenizer& tokenizer, const std::string& text, int limit) {
  TokenReport report;
  for (auto& piece : tokenizer.pieces(text))
    report.pieces.push_back({.id = piece.id, .text = std::move(piece.text)});
  const auto tokens = tokenizer.tokenize(text, limit);
  report.used = tokens.n_tokens;
  report.limit = limit;
  report.cut = tokens.cut;
  return report;
}

}  // namespace mezzo
