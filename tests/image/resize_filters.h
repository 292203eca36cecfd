// The filters by the names that recorded pictures have.
#pragma once

#include <map>
#include <string>

#include "image/resize.h"

namespace mezzo::test {

inline const std::map<std::string, ResizeFilter, std::less<>> kResizeFilters = {
    {"nearest", ResizeFilter::kNearest},   {"box", ResizeFilter::kBox},
    {"bilinear", ResizeFilter::kBilinear}, {"bicubic", ResizeFilter::kBicubic},
    {"lanczos", ResizeFilter::kLanczos},
};

}  // namespace mezzo::test
