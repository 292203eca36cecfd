// Whether a model has all it takes to draw.
#pragma once

#include "checkpoint/bundle.h"

namespace mezzo {

/// Throws LoadError naming the network that is missing and the option that supplies it.
void require_components(const ModelBundle& bundle);

}  // namespace mezzo
