// A T5 vocabulary as it is read from files: pieces with scores, the table that normalises text, and
// the tokens with a meaning of their own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/character_map.h"
#include "text/prefix_table.h"
#include "text/unigram.h"

namespace mezzo {

struct T5Vocabulary {
  std::vector<UnigramPiece> pieces;         // by id
  std::vector<PrefixTable::Entry> special;  // taken out of texts before anything else
  CharacterMap characters;
  int unknown = 0, end = 0, pad = 0;

  /// For readers: adds the piece with the next id. Throws LoadError, with `origin` for the file's
  /// name, for a text or a score that none can have.
  void add(std::string_view text, double score, const std::string& origin);
  /// For readers, once all pieces are there: finds end and padding. Throws LoadError where one is
  /// missing or a piece is there twice.
  void finish(const std::string& origin);
};

/// spiece.model: a ModelProto of sentencepiece_model.proto, with T5's hundred sentinels
/// ("<extra_id_0>" has the largest id) added where it lacks them. Throws LoadError.
T5Vocabulary read_t5_spiece(std::string_view bytes, const std::string& origin);

/// tokenizer.json of Hugging Face's tokenizers with a Unigram model. Throws LoadError.
T5Vocabulary read_t5_json(std::string_view text, const std::string& origin);

/// The spiece.model that is built into the program.
std::string built_in_t5_spiece();

}  // namespace mezzo
