// 4-bit weights as bitsandbytes saves them (Dettmers et al. 2023): X holds two codes a byte,
// X.absmax a factor for each block of the flattened values (or codes of factors, doubly quantised:
// X.nested_absmax, X.nested_quant_map), X.quant_map what the codes stand for, and
// X.quant_state.bitsandbytes__nf4 the shape as JSON.
#pragma once

#include <memory>

#include "weights/source.h"

namespace mezzo {

/// The same tensors with X as one of type nf4 or fp4 and its true shape (float32 where its rows are
/// no whole blocks of 64); `source` itself where there is none. Throws LoadError for a description
/// that contradicts the tensors.
std::shared_ptr<const TensorSource> with_bitsandbytes(std::shared_ptr<const TensorSource> source);

}  // namespace mezzo
