#include "pipeline/conditioning.h"

#include <cstring>

#include "base/log.h"
#include "base/utf8.h"
#include "text/prompt_syntax.h"

namespace mezzo {
namespace {

constexpr std::size_t kShown = 200;              // characters of what is cut from a prompt
constexpr std::size_t kRemembered = 64'000'000;  // bytes; at least the last prompt

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

const TextEmbedding& Conditioning::encoded(const Prompt& prompt, const TextSettings& settings) {
  for (const auto& cut : model_.text->cuts(prompt, settings))
    log_warning(
        "the prompt is longer than the {} tokens the model reads; it does not see: \"{}\"",
        cut.limit,
        cut.text.size() > kShown ? to_valid_utf8(cut.text.substr(0, kShown)) + " ..." : cut.text);
  const auto key = std::pair(prompt, settings);
  if (const auto it = cache_.find(key); it != cache_.end()) return it->second;
  warn_about_syntax(prompt);
  const TextEmbedding kept = made(prompt, settings);
  const std::size_t bytes = kept.tokens.bytes() + (kept.pooled ? kept.pooled.bytes() : 0);
  if (cached_bytes_ + bytes > kRemembered) cache_.clear(), cached_bytes_ = 0;
  cached_bytes_ += bytes;
  return cache_.emplace(key, kept).first->second;
}

TextEmbedding Conditioning::made(const Prompt& prompt, const TextSettings& settings) const {
  if (on_disk_)
    if (auto found = on_disk_->find(prompt, settings)) return *found;
  const auto made = model_.text->encode(prompt, settings);
  const TextEmbedding kept{.tokens = model_.backend.download(made.tokens),
                           .pooled = made.pooled ? model_.backend.download(made.pooled) : Tensor()};
  if (on_disk_) on_disk_->keep(prompt, settings, kept);
  return kept;
}

TextEmbedding Conditioning::operator()(const std::vector<Prompt>& prompts,
                                       const TextSettings& settings) {
  std::vector<TextEmbedding> rows;  // shared with the cache, which may forget them meanwhile
  for (const auto& prompt : prompts) rows.push_back(encoded(prompt, settings));
  return {.tokens = stack(model_.backend, rows, &TextEmbedding::tokens),
          .pooled = stack(model_.backend, rows, &TextEmbedding::pooled)};
}

}  // namespace mezzo
