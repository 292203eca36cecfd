#include "text/t5_tokenizer.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/t5_vocabulary.h"
#include "text/unicode.h"

namespace mezzo {

struct T5Tokenizer::Model {
  std::vector<std::string> tokens;  // by id
  std::vector<bool> hidden;         // by id: not shown in texts
  Unigram unigram;
  PrefixTable special;
  CharacterMap characters;
  int unknown, end, pad;

  explicit Model(T5Vocabulary v);
  void encode_plain(std::string_view text, std::vector<int>& ids) const;
};

namespace {

constexpr std::string_view kWordBegin = "\u2581";  // ▁, SentencePiece's mark
constexpr std::string_view kUnknownShown = "\u2047";

/// Calls `use` with each word, its mark in front. A mark within a word begins another.
template <class Use>
void for_each_span(std::string_view text, const Use& use) {
  std::string word;
  const auto close = [&] {
    if (!word.empty()) use(std::string_view(word));
    word.clear();
  };
  bool outside = true;  // of words
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t start = pos;
    const char32_t c = next_character(text, pos);
    const auto character = text.substr(start, pos - start);
    const bool space = is_space(c);
    if (space || character == kWordBegin) close();
    if (!space && outside && character != kWordBegin) word = kWordBegin;
    if (!space) word += character;
    outside = space;
  }
  close();
}

}  // namespace

T5Tokenizer::Model::Model(T5Vocabulary v)
    : hidden(v.pieces.size()),
      unigram(v.pieces, v.unknown),
      characters(std::move(v.characters)),
      unknown(v.unknown),
      end(v.end),
      pad(v.pad) {
  for (auto& piece : v.pieces) tokens.push_back(std::move(piece.text));
  for (const auto& token : v.special) hidden[static_cast<std::size_t>(token.id)] = true;
  special = PrefixTable(std::move(v.special));
}

void T5Tokenizer::Model::encode_plain(std::string_view text, std::vector<int>& ids) const {
  for_each_span(characters.apply(text), [&](std::string_view word) { unigram.encode(word, ids); });
}

T5Tokenizer::T5Tokenizer(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

T5Tokenizer T5Tokenizer::from_files(const T5TokenizerFiles& files) {
  if (files.spiece.empty() && files.tokenizer_json.empty())
    fail<LoadError>("{}: has neither spiece.model nor tokenizer.json; T5 needs one of them",
                    files.origin);
  return T5Tokenizer(std::make_shared<Model>(
      files.spiece.empty() ? read_t5_json(files.tokenizer_json, files.origin + ": tokenizer.json")
                           : read_t5_spiece(files.spiece, files.origin + ": spiece.model")));
}

T5Tokenizer T5Tokenizer::built_in() {
  return T5Tokenizer(
      std::make_shared<Model>(read_t5_spiece(built_in_t5_spiece(), "the built-in tokenizer")));
}

int T5Tokenizer::size() const { return static_cast<int>(model_->tokens.size()); }
int T5Tokenizer::end_id() const { return model_->end; }
int T5Tokenizer::pad_id() const { return model_->pad; }
int T5Tokenizer::unknown_id() const { return model_->unknown; }

std::vector<int> T5Tokenizer::encode(std::string_view text) const {
  if (text.size() > kMaxPromptBytes)
    fail<UsageError>("the prompt has {} bytes, at most {} are taken; shorten it", text.size(),
                     kMaxPromptBytes);
  const std::string valid = to_valid_utf8(text);
  const std::string_view rest = valid;
  std::vector<int> ids;
  std::size_t plain = 0;  // where the plain text before `pos` begins
  for (std::size_t pos = 0; pos < rest.size();) {
    const auto* token = model_->special.longest_prefix(rest.substr(pos));
    if (!token) {
      ++pos;
      continue;
    }
    model_->encode_plain(rest.substr(plain, pos - plain), ids);
    ids.push_back(token->id);
    plain = pos += token->text.size();
  }
  model_->encode_plain(rest.substr(plain), ids);
  ids.push_back(model_->end);
  return ids;
}

Tokens T5Tokenizer::tokenize(std::string_view text, int length) const {
  check(length >= 1, "tokens have room for the end");
  return fitted(encode(text), length, model_->end, model_->pad,
                [&](const std::vector<int>& ids) { return decode(ids); });
}

std::vector<T5Tokenizer::Piece> T5Tokenizer::pieces(std::string_view text) const {
  std::vector<int> ids = encode(text);
  ids.pop_back();
  std::vector<Piece> out;
  for (const int id : ids) out.push_back({model_->tokens[static_cast<std::size_t>(id)], id});
  return out;
}

std::string T5Tokenizer::decode(const std::vector<int>& ids) const {
  std::string out;
  for (const int id : ids) {
    check(id >= 0 && id < size(), "an id is in the vocabulary");
    const auto index = static_cast<std::size_t>(id);
    if (id == model_->unknown) out += kUnknownShown;
    if (model_->hidden[index]) continue;
    std::string_view token = model_->tokens[index];
    if (token.starts_with(kWordBegin)) {
      token.remove_prefix(kWordBegin.size());
      if (!out.empty()) out.push_back(' ');
    }
    out += token;
  }
  return out;
}

}  // namespace mezzo
