#include "pipeline/family.h"

#include <array>

#include "base/error.h"
#include "checkpoint/require.h"
#include "pipeline/families/families.h"

namespace mezzo {

std::span<const Family> families() {
  static const std::array table = {stable_diffusion(), stable_diffusion_3()};
  return table;
}

const Family& find_family(const ModelBundle& bundle) {
  require_components(bundle);
  for (const Family& family : families())
    if (bundle.components.contains(std::string(family.denoiser))) return family;
  fail<InternalError>("{}: has networks of no family", bundle.path.string());
}

}  // namespace mezzo
