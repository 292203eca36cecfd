// The block formats that networks are kept in, as float32 in vectors (Highway, chosen at run time):
// they are expanded at every use. The same bits as decode_blocks() gives.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace mezzo {

/// `blocks` blocks of `t` as float32; false where there is no such kernel for the type.
bool expand_blocks(DType t, const std::byte* in, std::int64_t blocks, float* out);

}  // namespace mezzo
