// Softmax attention of one head, a block of rows and keys at a time (attention.cpp). Scores and
// values are products of float32, bfloat16 or integers (product.h), as footprint::Attention
// says.
#pragma once

#include "backend/cpu/footprint.h"
#include "backend/cpu/kernels/kernels.h"

namespace mezzo::kernels {

struct Head {                          // one head of one image
  const float *q, *k, *v;              // rows of d values
  Index q_stride, k_stride, v_stride;  // between rows
  Index lk, d;                         // keys of all sequences, values of a row
  Index first_key;                     // place of k's and v's first row among all keys
  float scale;
  bool causal;
  const float* bias;  // [lq, lk] or null
  float* out;
  Index out_stride;
};

/// Where a head's packed keys and values are, and the factors of integers.
struct PackedHead {
  PackedHead(const footprint::Attention& a, std::byte* memory)
      : keys(memory),
        values(memory + a.keys),
        key_scales(reinterpret_cast<float*>(memory + a.keys + a.values)),
        key_offsets(reinterpret_cast<std::int32_t*>(key_scales + a.padded_keys)),
        value_scales(key_scales + 2 * a.padded_keys) {}
  std::byte *keys, *values;
  float* key_scales;          // of each key
  std::int32_t* key_offsets;  // -128 times the sum of its integers: where its scores begin
  float* value_scales;        // of each column, for each block of footprint::Attention::kKeys keys
};

/// Copies keys begin..end-1 of all, which lie in one block of footprint::Attention::kKeys, into the
/// order that the products read. The keys of a block are copied in their order, by one thread,
/// whose
/// scratch is left alone until the last ones come: `last`.
void attention_pack(const footprint::Attention&, const Head&, Index begin, Index end, bool last,
                    const PackedHead&, std::byte* scratch);
/// Rows begin..end-1 of the result, at most footprint::Attention::kRows.
void attention_rows(const footprint::Attention&, const Head&, Index begin, Index end,
                    const PackedHead&, std::byte* scratch);

}  // namespace mezzo::kernels
