#include "pipeline/conditioning.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "base/utf8.h"
#include "text/prompt_syntax.h"

namespace mezzo {
namespace {

constexpr std::size_t kShown = 200;              // characters of what is cut from a prompt
constexpr std::size_t kRemembered = 64'000'000;  // bytes; at least the last prompt

void warn_about_cuts(const std::vector<TextConditioner::Cut>& cuts) {
  for (const auto& cut : cuts)
    log_warning(
        "the prompt is longer than the {} tokens the model reads; it does not see: \"{}\"",
        cut.limit,
        cut.text.size() > kShown ? to_valid_utf8(cut.text.substr(0, kShown)) + " ..." : cut.text);
}

void warn_about_syntax(const Prompt& prompt) {
  for (const auto* text : {&prompt.text, &prompt.text_2, &prompt.text_3})
    if (const auto piece = unread_instruction(*text); !piece.empty())
      log_warning(
          "\"{}\" is read as words: weights and extra networks in prompts are not supported",
          to_valid_utf8(piece.substr(0, kShown)));
}

/// The rows of one of the tensors of several embeddings; undefined where they have none.
Tensor stack(Backend& backend, const std::vector<TextEmbedding>& rows,
             Tensor TextEmbedding::*what) {
  const Tensor& first = rows.front().*what;
  if (!first) return {};
  Shape shape = first.shape();
  shape.set(0, static_cast<std::int64_t>(rows.size()));
  const Tensor all(host(), DType::kF32, shape);
  auto* to = all.data<std::byte>();
  for (const auto& row : rows) {
    const Tensor& values = row.*what;
    if (backend.has_data()) std::memcpy(to, values.raw(), values.bytes());
    to += values.bytes();
  }
  return backend.upload(all);
}

}  // namespace

void Conditioning::remember(const TextRequest& request, const TextEmbedding& embedding) {
  const std::size_t bytes =
      embedding.tokens.bytes() + (embedding.pooled ? embedding.pooled.bytes() : 0);
  if (cached_bytes_ + bytes > kRemembered) cache_.clear(), cached_bytes_ = 0;
  cached_bytes_ += bytes;
  cache_.emplace(request, embedding);
}

void Conditioning::warn(const TextRequest& request) {
  if (!told_.insert(request).second) return;
  warn_about_cuts(model_.text->cuts(request.prompt, request.settings));
  warn_about_syntax(request.prompt);
}

void Conditioning::encode(const std::vector<TextRequest>& requests, bool last, Found& found) {
  const auto encoded = model_.text->encode(requests, last);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto& [tokens, pooled] = encoded[i];
    const TextEmbedding kept{.tokens = model_.backend.download(tokens),
                             .pooled = pooled ? model_.backend.download(pooled) : Tensor()};
    if (on_disk_) on_disk_->keep(requests[i].prompt, requests[i].settings, kept);
    remember(requests[i], kept);
    found.emplace(requests[i], kept);
  }
}

TextEmbedding Conditioning::operator()(std::span<const TextRequest> requests, bool last) {
  Found found;  // shared with the cache, which may forget them meanwhile
  std::vector<TextRequest> unknown;
  for (const TextRequest& r : requests) {
    if (found.contains(r) || std::ranges::find(unknown, r) != unknown.end()) continue;
    warn(r);
    if (const auto it = cache_.find(r); it != cache_.end()) {
      found.emplace(r, it->second);
      continue;
    }
    auto kept = on_disk_ ? on_disk_->find(r.prompt, r.settings) : std::nullopt;
    if (!kept) {
      unknown.push_back(r);
      continue;
    }
    remember(r, *kept);
    found.emplace(r, *kept);
  }
  encode(unknown, last, found);  // also where there are none: encoders may be let go
  std::vector<TextEmbedding> rows;
  for (const TextRequest& r : requests) rows.push_back(found.at(r));
  return {.tokens = stack(model_.backend, rows, &TextEmbedding::tokens),
          .pooled = stack(model_.backend, rows, &TextEmbedding::pooled)};
}

}  // namespace mezzo
