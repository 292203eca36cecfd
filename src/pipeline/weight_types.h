// --weights: the element type of each network's weights, in memory and in converted files, and
// which layers keep more bits than the rest.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "checkpoint/bundle.h"
#include "weights/weights.h"

namespace mezzo {

/// "q8_0", or by network as in "t5=nf4,unet=q8_0,f16": a type alone is that of all the others.
class WeightTypes {
 public:
  /// Throws UsageError saying which types and networks there are. Empty: says nothing.
  static WeightTypes parse(const std::string& spec);

  /// Nothing where the text does not say.
  std::optional<DType> of(std::string_view network) const;
  std::optional<DType> rest() const { return rest_; }
  /// Throws UsageError where networks are named and the model has none of them.
  void check_networks(const ModelBundle& bundle) const;

 private:
  std::optional<DType> rest_;
  std::map<std::string, DType, std::less<>> networks_;
};

/// The type that a tensor gets in a network whose weights shall be `wanted`. Blocks that the file
/// has already are kept where they are no larger and `can_keep` allows: never rounded twice. What
/// cannot be quantised (norms, biases, rows that are no whole blocks) and sensitive layers get 16
/// bits.
DType stored_type(const TensorInfo& tensor, DType wanted,
                  const std::function<bool(DType)>& can_keep);

/// Bytes of a network's tensors once they have the types that `wanted` gives them in memory
/// (nothing: as the file has them).
std::uint64_t weight_bytes(const TensorSource& network, std::optional<DType> wanted);

/// Gives every network of the bundle the types that it shall have in memory.
void apply_weight_types(ModelBundle& bundle, const WeightTypes& types);
/// Float32 weights as bfloat16; the others as they are.
void keep_in_16_bits(ModelBundle& bundle);

}  // namespace mezzo
