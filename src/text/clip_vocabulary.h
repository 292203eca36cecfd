// A CLIP vocabulary as it is read from files or built from merges alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/byte_pairs.h"
#include "text/clip_tokenizer.h"

namespace mezzo {

struct ClipVocabulary {
  std::vector<std::string> tokens;  // by id
  TokenIds ids;
  std::string begin = "<|startoftext|>", end = "<|endoftext|>", pad;  // pad empty: not said
};

/// Reads vocab.json, tokenizer_config.json and special_tokens_map.json. Throws LoadError.
ClipVocabulary read_clip_vocabulary(const ClipTokenizerFiles& files);

/// The merges that are built into the program, as a merges.txt.
std::string built_in_clip_merges();

/// The vocabulary that belongs to merges: bytes, bytes at a word's end, every merge, begin, end.
ClipVocabulary vocabulary_of_merges(std::string_view merges);

}  // namespace mezzo
