// T5's tokenizer: SentencePiece's unigram model (Kudo 2018, arXiv:1804.10959), id for id as Hugging
// Face's fast T5Tokenizer. Characters by the model's own table (NFKC), words at white space, the
// segmentation of each word whose pieces are the most probable together.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokens.h"

namespace mezzo {

/// A tokenizer's files as bytes. One is needed; where both are there, spiece.model is read.
struct T5TokenizerFiles {
  std::string_view spiece = {};          // spiece.model (also called tokenizer.model)
  std::string_view tokenizer_json = {};  // tokenizer.json
  std::string origin = "the tokenizer";  // what messages call them
};

class T5Tokenizer {
 public:
  using Piece = TextPiece;  // "▁" opens a word

  /// Throws LoadError: no SentencePiece model, another kind than unigram, tables that point outside
  /// themselves, special tokens that are missing.
  static T5Tokenizer from_files(const T5TokenizerFiles& files);

  /// T5's own 32,000 pieces (the same for every size of T5 v1.1), for models that bring none.
  static T5Tokenizer built_in();

  /// Every piece of the text, end: not cut. Bytes that are no UTF-8 count as U+FFFD.
  /// Throws UsageError for a text of more than kMaxPromptBytes.
  std::vector<int> encode(std::string_view text) const;

  /// encode(), cut to `length` ids with the end kept, or padded to it; length >= 1.
  Tokens tokenize(std::string_view text, int length) const;

  /// The ids before the end, with their text, for display.
  std::vector<Piece> pieces(std::string_view text) const;

  /// The text of ids, special ones left out.
  std::string decode(const std::vector<int>& ids) const;

  int size() const;        // of the vocabulary; the encoder's table may have more rows
  int end_id() const;      // </s>
  int pad_id() const;      // <pad>
  int unknown_id() const;  // <unk>: what no piece covers

 private:
  struct Model;
  explicit T5Tokenizer(std::shared_ptr<const Model> model);

  std::shared_ptr<const Model>
      model_;  // never changes: copies are cheap and may be used by several threads
};

}  // namespace mezzo
