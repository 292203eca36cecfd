#include "pipeline/conditioning.h"

#include <cstring>

#include "base/log.h"
#include "base/utf8.h"
#include "text/prompt_syntax.h"

namespace mezzo {
namespace {
constexpr std::size_t kShown = 200;       // characters of what is cut from a prompt
constexpr std::size_t kRemembered = 256;  // prompts; 77 x 768 floats are 231 KB each
}  // namespace

const Tensor& Conditioning::encoded(const std::string& prompt, int clip_skip) {
  const auto key = std::pair(prompt, clip_skip);
  const auto limit = model_.configs.text.max_position_embeddings;
  const auto tokens = model_.tokenizer.tokenize(prompt, static_cast<int>(limit));
  if (!tokens.cut.empty())
    log_warning("the prompt is longer than the {} tokens the model reads; it does not see: \"{}\"",
                limit,
                tokens.cut.size() > kShown ? to_valid_utf8(tokens.cut.substr(0, kShown)) + " ..."
                                           : tokens.cut);
  if (const auto it = cache_.find(key); it != cache_.end()) return it->second;
  if (const auto piece = unread_instruction(prompt); !piece.empty())
    log_warning("\"{}\" is read as words: weights and extra networks in prompts are not supported",
                to_valid_utf8(piece.substr(0, kShown)));

  Tensor ids(host(), DType::kI32, {1, limit});
  for (std::int64_t i = 0; i < limit; ++i)
    ids.data<std::int32_t>()[i] = tokens.ids[static_cast<std::size_t>(i)];
  // One prompt at a time: the result does not depend on the company it is encoded in.
  const Tensor out = model_.text_encoder(ids, {.skip = clip_skip}).hidden;
  if (cache_.size() >= kRemembered) cache_.erase(cache_.begin());
  return cache_.emplace(key, model_.backend.download(out)).first->second;
}

Tensor Conditioning::operator()(const std::vector<std::string>& prompts, int clip_skip) {
  const auto& c = model_.configs.text;
  Tensor rows(
      host(), DType::kF32,
      {static_cast<std::int64_t>(prompts.size()), c.max_position_embeddings, c.hidden_size});
  auto* to = rows.data<float>();
  for (const auto& prompt : prompts) {
    const Tensor& row = encoded(prompt, clip_skip);
    if (model_.backend.has_data()) std::memcpy(to, row.raw(), row.bytes());
    to += row.numel();
  }
  return model_.backend.upload(rows);
}

}  // namespace mezzo
