// What a prompt becomes for a model.
#pragma once

#include "mezzotint/engine.h"
#include "text/clip_tokenizer.h"

namespace mezzo {

TokenReport token_report(const ClipTokenizer& tokenizer, const std::string& prompt, int limit);

}  // namespace mezzo
