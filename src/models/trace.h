// Shows activations by module name while a network runs, to find where a number goes wrong.
#pragma once

#include <functional>
#include <string>

#include "tensor/tensor.h"

namespace mezzo {

/// Called with a module's checkpoint name and its output (NHWC or [B, L, D]); empty: nobody looks.
using Trace = std::function<void(const std::string& module, const Tensor& output)>;

}  // namespace mezzo
