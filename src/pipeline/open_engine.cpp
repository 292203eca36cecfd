#include "pipeline/open_engine.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "mezzotint/files.h"
#include "pipeline/weight_types.h"

namespace mezzo {

Precision precision_of(const EngineOptions& o) {
  if (o.precision != "auto" && o.precision != "f32" && o.precision != "bf16" &&
      o.precision != "int8")
    fail<UsageError>(
        "precision \"{}\" is not known; auto, f32, bf16 and int8 are{}", o.precision,
        o.precision.find("16") == std::string::npos
            ? ""
            : " (float16 is a type of weights: give f16 for weights, and auto computes with them)");
  const bool exact_weights = WeightTypes::parse(o.weights).rest() == DType::kF32;
  if (o.precision == "bf16" && exact_weights)
    fail<UsageError>("precision bf16 keeps weights in 16 bits; leave out f32 for weights");
  if (o.precision == "int8") return Precision::kInt8;
  if (o.precision == "bf16") return Precision::kBF16;
  return o.precision == "f32" || exact_weights ? Precision::kF32 : Precision::kAuto;
}

std::string precision_name(Precision p) {
  constexpr std::array kNames = {"f32", "auto", "bf16", "int8"};
  return kNames[static_cast<std::size_t>(p)];
}

ModelBundle open_bundle(const std::string& model, const EngineOptions& options) {
  const auto types = WeightTypes::parse(options.weights);
  ModelBundle bundle = open_model(model, open_options(options));
  apply_weight_types(bundle, types);
  return bundle;
}

OpenOptions open_options(const EngineOptions& o) {
  return {.vae = o.vae,
          .clip = o.clip,
          .clip_l = o.clip_l,
          .clip_g = o.clip_g,
          .t5 = o.t5,
          .no_t5 = o.no_t5,
          .config = o.config};
}

std::uint64_t process_overhead(const ModelBundle& bundle, const MemoryStrategy& strategy,
                               std::uint64_t weight_bytes) {
  constexpr std::uint64_t kProgram = 10'700'000, kTokenizer = 5'000'000;
  // Streamed weights: as much as the largest models were measured to need, of their largest tensor.
  constexpr std::uint64_t kMost = 16'000'000, kShare = 4;
  std::uint64_t largest = 0;
  if (strategy.denoiser_held)
    for (const auto& [name, c] : bundle.components)
      for (const auto& t : c.weights->tensors())
        largest = std::max<std::uint64_t>(largest, t.bytes());
  const auto encoders = std::ranges::count_if(
      bundle.components, [](const auto& c) { return is_text_encoder(c.first); });
  return kProgram + static_cast<std::uint64_t>(encoders) * kTokenizer + weight_bytes / 110 +
         std::min(kMost, largest / kShare);
}

EngineOptions options_for(const std::string& model, EngineOptions o) {
  if (o.clip.empty() && o.clip_l.empty() && o.clip_g.empty() && o.t5.empty()) return o;
  if (open_model(model).components.contains("transformer")) {
    o.clip.clear();
  } else {
    o.clip_l.clear();
    o.clip_g.clear();
    o.t5.clear();
  }
  return o;
}

}  // namespace mezzo
