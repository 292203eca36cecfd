// CLIP's tokenizer (openai/CLIP; Hugging Face's fast CLIPTokenizer, which it follows id for id):
// NFC, white space to one space, lower case, words by a fixed pattern, byte-pair encoding with
// "</w>" at the end of each word.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokens.h"

namespace mezzo {

/// A tokenizer's files as text. Only the first two are needed.
struct ClipTokenizerFiles {
  std::string_view vocab = {};   // vocab.json
  std::string_view merges = {};  // merges.txt
  /// tokenizer_config.json: bos_token, eos_token, pad_token.
  std::string_view config = {};
  /// special_tokens_map.json, for tokens that the config does not name.
  std::string_view special_tokens = {};
  std::string origin = "the tokenizer";  // what messages call them
};

struct ClipTokenizerOptions {
  /// The padding token where no file names one: "" is the end of text (SD 1.x), "!" has id 0
  /// (second encoder of SDXL and SD3).
  std::string pad = {};
  /// Takes the padding token out of prompts wherever it stands, as transformers does with "!";
  /// other programs do not.
  bool pad_is_special = false;
};

class ClipTokenizer {
 public:
  static constexpr int kContext = 77;

  using Piece = TextPiece;  // bytes decoded; "</w>" closes a word

  /// Throws LoadError: JSON that is none, ids that are not 0..n-1, merges that fit no vocabulary,
  /// special tokens that are missing.
  static ClipTokenizer from_files(const ClipTokenizerFiles& files,
                                  const ClipTokenizerOptions& options = {});

  /// CLIP's own 49,408 tokens, for models that bring no tokenizer.
  static ClipTokenizer built_in(const ClipTokenizerOptions& options = {});

  /// Begin, every piece of the text, end: not cut. Bytes that are no UTF-8 count as U+FFFD.
  /// Throws UsageError for a text of more than kMaxPromptBytes.
  std::vector<int> encode(std::string_view text) const;

  /// encode(), cut to `length` ids with the end kept, or padded to it; length >= 2.
  Tokens tokenize(std::string_view text, int length = kContext) const;

  /// The ids between begin and end, with their text, for display.
  std::vector<Piece> pieces(std::string_view text) const;

  /// The text of ids: words separated by spaces, in lower case.
  std::string decode(const std::vector<int>& ids) const;

  int size() const;      // of the vocabulary
  int begin_id() const;  // <|startoftext|>
  int end_id() const;    // <|endoftext|>
  int pad_id() const;

 private:
  struct Model;
  explicit ClipTokenizer(std::shared_ptr<const Model> model);
  friend struct ClipTokenizerLoader;

  std::shared_ptr<const Model>
      model_;  // never changes: copies are cheap and may be used by several threads
};

}  // namespace mezzo
