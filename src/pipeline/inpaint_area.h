// "Only masked": the surroundings of the mask are drawn as a picture of their own, at the full size
// of the request, and put back. Small things get the detail of whole pictures (A1111's web UI).
#pragma once

#include <optional>

#include "image/fit.h"
#include "pipeline/resolve.h"

namespace mezzo {

struct InpaintArea {
  Image whole, mask;  // as they were: RGB; 255 repaints
  Rect box;           // what is drawn of it
};

/// Where the request asks for it (only_masked, with a mask that is not blank): cuts its init and
/// mask to the box and sets its size, which is the model's where it names none.
std::optional<InpaintArea> cut_area(GenerateParams& request, const ModelDefaults& defaults);

/// The whole picture with the drawn box put back into it.
Image put_back(const InpaintArea& area, const Image& drawn);

/// `drawn` where its share (feather() of a mask) is 255, `kept` to the bit where it is 0, and both
/// in between. All of one size.
Image keep_unmasked(const Image& drawn, const Image& kept, const Image& share);

}  // namespace mezzo
