#include "text/clip_tokenizer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/byte_pairs.h"
#include "text/clip_vocabulary.h"
#include "text/unicode.h"

namespace mezzo {

struct ClipTokenizer::Model {
  std::vector<std::string> tokens;  // by id
  BytePairs pairs;
  int begin, end, pad;
  std::vector<std::pair<std::string, int>> special;  // taken out of texts before anything else
};

struct ClipTokenizerLoader {
  static ClipTokenizer build(ClipVocabulary v, std::string_view merges,
                             const ClipTokenizerOptions& options, const std::string& origin);
};

namespace {

constexpr std::array<std::string_view, 7> kContractions = {"'s", "'t",  "'re", "'ve",
                                                           "'m", "'ll", "'d"};

std::string collapse_spaces(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool in_space = false;
  for (std::size_t pos = 0; pos < text.size();) {
    const char32_t c = next_character(text, pos);
    const bool space = is_space(c);
    if (!space) append_utf8(out, c);
    if (space && !in_space) out.push_back(' ');
    in_space = space;
  }
  return out;
}

enum class Class { kSpace, kLetter, kNumber, kOther };
Class class_of(char32_t c) {
  return is_space(c)    ? Class::kSpace
         : is_letter(c) ? Class::kLetter
         : is_number(c) ? Class::kNumber
                        : Class::kOther;
}

/// Calls `use` with each word: 's|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
template <class Use>
void for_each_word(std::string_view text, const Use& use) {
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t start = pos;
    const auto* contraction = std::ranges::find_if(
        kContractions, [&](std::string_view c) { return text.substr(start).starts_with(c); });
    if (contraction != kContractions.end()) {
      pos += contraction->size();
      use(text.substr(start, pos - start));
      continue;
    }
    const Class kind = class_of(next_character(text, pos));
    if (kind == Class::kSpace) continue;
    for (std::size_t next = pos; kind != Class::kNumber && next < text.size(); pos = next)
      if (class_of(next_character(text, next)) != kind) break;
    use(text.substr(start, pos - start));
  }
}

/// The text of a token: its characters back to bytes.
std::string token_bytes(std::string_view token) {
  static const auto bytes = [] {
    std::unordered_map<char32_t, char> m;
    for (std::size_t b = 0; b < 256; ++b) m[byte_characters()[b]] = static_cast<char>(b);
    return m;
  }();
  std::string out;
  for (std::size_t pos = 0; pos < token.size();) {
    const char32_t c = next_character(token, pos);
    const auto it = bytes.find(c);
    if (it != bytes.end()) {
      out.push_back(it->second);
    } else {
      append_utf8(out, c);
    }
  }
  return out;
}

}  // namespace

ClipTokenizer ClipTokenizerLoader::build(ClipVocabulary v, std::string_view merges,
                                         const ClipTokenizerOptions& options,
                                         const std::string& origin) {
  const auto id_of = [&](const std::string& token, const char* role) {
    const auto it = v.ids.find(token);
    if (it == v.ids.end())
      fail<LoadError>(
          "{}: the {} token {} is not in the vocabulary; vocab.json and tokenizer_config.json must "
          "come from the same model",
          origin, role, token.substr(0, 64));
    return it->second;
  };
  const int begin = id_of(v.begin, "begin"), end = id_of(v.end, "end");
  if (v.pad.empty()) v.pad = options.pad.empty() ? v.end : options.pad;
  const int pad = id_of(v.pad, "padding");
  auto special = std::vector<std::pair<std::string, int>>{{v.begin, begin}, {v.end, end}};
  if (options.pad_is_special && v.pad != v.end) special.emplace_back(v.pad, pad);
  BytePairs pairs(v.ids, merges, end, origin);
  return ClipTokenizer(std::make_shared<ClipTokenizer::Model>(ClipTokenizer::Model{
      std::move(v.tokens), std::move(pairs), begin, end, pad, std::move(special)}));
}

ClipTokenizer::ClipTokenizer(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

ClipTokenizer ClipTokenizer::from_files(const ClipTokenizerFiles& files,
                                        const ClipTokenizerOptions& options) {
  return ClipTokenizerLoader::build(read_clip_vocabulary(files), files.merges, options,
                                    files.origin);
}

ClipTokenizer ClipTokenizer::built_in(const ClipTokenizerOptions& options) {
  const std::string merges = built_in_clip_merges();
  return ClipTokenizerLoader::build(vocabulary_of_merges(merges), merges, options,
                                    "the built-in tokenizer");
}

int ClipTokenizer::size() const { return static_cast<int>(model_->tokens.size()); }
int ClipTokenizer::begin_id() const { return model_->begin; }
int ClipTokenizer::end_id() const { return model_->end; }
int ClipTokenizer::pad_id() const { return model_->pad; }

std::vector<int> ClipTokenizer::encode(std::string_view text) const {
  if (text.size() > kMaxPromptBytes)
    fail<UsageError>("the prompt has {} bytes, at most {} are taken; shorten it", text.size(),
                     kMaxPromptBytes);
  std::vector<int> ids{model_->begin};
  while (!text.empty()) {
    // The special token that comes first, if any: plain text goes up to it.
    std::size_t plain = text.size(), skip = 0;
    int id = -1;
    for (const auto& [token, token_id] : model_->special) {
      const auto at = text.find(token);
      if (at >= plain) continue;
      plain = at;
      skip = token.size();
      id = token_id;
    }
    const std::string normal = to_lower(collapse_spaces(to_nfc(text.substr(0, plain))));
    for_each_word(normal, [&](std::string_view word) { model_->pairs.encode(word, ids); });
    if (id >= 0) ids.push_back(id);
    text.remove_prefix(plain + skip);
  }
  ids.push_back(model_->end);
  return ids;
}

Tokens ClipTokenizer::tokenize(std::string_view text, int length) const {
  check(length >= 2, "tokens have room for begin and end");
  return fitted(encode(text), length, model_->end, model_->pad,
                [&](const std::vector<int>& ids) { return decode(ids); });
}

std::vector<ClipTokenizer::Piece> ClipTokenizer::pieces(std::string_view text) const {
  const std::vector<int> ids = encode(text);
  std::vector<Piece> out;
  for (std::size_t i = 1; i + 1 < ids.size(); ++i)
    out.push_back(
        {to_valid_utf8(token_bytes(model_->tokens[static_cast<std::size_t>(ids[i])])), ids[i]});
  return out;
}

std::string ClipTokenizer::decode(const std::vector<int>& ids) const {
  std::string out;
  for (const int id : ids) {
    check(id >= 0 && id < size(), "an id is in the vocabulary");
    std::string_view token = model_->tokens[static_cast<std::size_t>(id)];
    const bool ends_word = token.ends_with(kEndOfWord);
    if (ends_word) token.remove_suffix(kEndOfWord.size());
    out += token_bytes(token);
    if (ends_word) out.push_back(' ');
  }
  while (out.ends_with(' ')) out.pop_back();
  return to_valid_utf8(out);
}

}  // namespace mezzo
