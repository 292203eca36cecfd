// Any text as the config.json of each network: a configuration, or a LoadError.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "mezzotint/errors.h"
#include "models/clip/clip_text.h"
#include "models/mmdit/config.h"
#include "models/t5/t5_encoder.h"
#include "models/unet/config.h"
#include "models/vae/autoencoder_kl.h"
#include "models/vae/autoencoder_tiny.h"

namespace {

template <class Config>
void parse(const nlohmann::json& json) {
  try {
    Config::parse(json, "config.json");
  } catch (const mezzo::LoadError&) {
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mezzo;
  nlohmann::json json;
  try {
    json = parse_json({reinterpret_cast<const char*>(data), size}, "config.json");
  } catch (const LoadError&) {
    return 0;
  }
  parse<UNetConfig>(json);
  parse<MMDiTConfig>(json);
  parse<ClipTextConfig>(json);
  parse<T5EncoderConfig>(json);
  parse<AutoencoderKLConfig>(json);
  parse<AutoencoderTinyConfig>(json);
  return 0;
}
