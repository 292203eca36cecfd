// What both readers of T5's vocabulary do.
#pragma once

#include <string>
#include <string_view>

#include "text/t5_vocabulary.h"

namespace mezzo {

/// Adds the piece with the next id. Throws LoadError for a text or score that none can have.
void add_piece(T5Vocabulary& v, std::string_view text, double score, const std::string& origin);

/// Once all pieces are there: checks them and finds end and padding. Throws LoadError.
void finish(T5Vocabulary& v, const std::string& origin);

}  // namespace mezzo
