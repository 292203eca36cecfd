// Which networks a file holds: their prefixes and layouts, what of it is junk, and what other kinds
// of file look like.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weights/source.h"

namespace mezzo {

/// The networks found in a file, under canonical names.
struct FoundNetworks {
  std::map<std::string, std::shared_ptr<const TensorSource>> components;
  std::string naming;                // "LDM", "diffusers" ...: of the main network
  std::vector<std::string> unknown;  // tensors that no rule took
};

/// Throws LoadError where a layout is recognised but its tensors contradict it.
FoundNetworks find_networks(const std::shared_ptr<const TensorSource>& source);

/// One network of a diffusers folder ("unet", "vae", "text_encoder" ...): canonical but for a few
/// historic names.
std::shared_ptr<const TensorSource> canonical_component(
    const std::string& component, const std::shared_ptr<const TensorSource>& source);

/// A file that is no model by itself.
struct ForeignKind {
  std::string_view kind;    // "LoRA", "ControlNet" ...
  std::string_view advice;  // what to do with it
};
/// The kind when the tensors are those of a LoRA, a textual inversion, a ControlNet, a FLUX model
/// ...; else null.
const ForeignKind* foreign_kind(const TensorSource& source);

}  // namespace mezzo
