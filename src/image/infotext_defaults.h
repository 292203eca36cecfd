// What the web UI adds to the fields of an infotext: defaults of keys it leaves out when they have
// their usual value, and the behaviour of the version that wrote the text.
#pragma once

#include "image/infotext.h"

namespace mezzo {

void fill_infotext_defaults(Infotext& infotext);

/// True when a part of the prompt has a weight other than 1: "(a)", "[a]", "(a:1.2)".
bool uses_emphasis(std::string_view prompt);

}  // namespace mezzo
