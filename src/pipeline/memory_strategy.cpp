#include "pipeline/memory_strategy.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "pipeline/weight_types.h"

namespace mezzo {
namespace {

using Encoders = MemoryStrategy::Encoders;

constexpr std::int64_t kRowsOfPicture = 2;  // what is wanted, and what is not

constexpr std::array kMeasures = {
    MemoryMeasure{"16-bit weights", "float32 weights are kept in 16 bits", true,
                  [](MemoryStrategy& s) { s.half_weights = true; }},
    MemoryMeasure{
        "text encoders released",
        "text encoders are read for a new prompt and let go when it is encoded", true,
        [](MemoryStrategy& s) { s.encoders = std::max(s.encoders, Encoders::kReleased); }},
    MemoryMeasure{"networks let go",
                  "a network is let go after its last use, and read again for the next request",
                  true, [](MemoryStrategy& s) { s.once = true; }},
    MemoryMeasure{"one picture at a time",
                  "pictures of a batch pass the denoiser one after the other", true,
                  [](MemoryStrategy& s) {
                    if (!s.rows_at_once) s.rows_at_once = kRowsOfPicture;
                  }},
    MemoryMeasure{"VAE streamed", "the VAE is read from the file layer by layer, for each picture",
                  true, [](MemoryStrategy& s) { s.vae = MemoryStrategy::Vae::kStreamed; }},
    MemoryMeasure{"text encoders streamed",
                  "text encoders are read layer by layer for each new prompt", true,
                  [](MemoryStrategy& s) { s.encoders = Encoders::kStreamed; }},
    MemoryMeasure{"8-bit weights", "large weights are kept as q8_0: pictures differ a little",
                  false, [](MemoryStrategy& s) { s.eight_bits = true; }},
    MemoryMeasure{"denoiser streamed", "the denoiser's layers are read from the file in every step",
                  true,
                  [](MemoryStrategy& s) {
                    if (!s.denoiser_held) s.denoiser_held = 0;
                    s.eight_bits = false;  // no need: what is not held takes no memory
                  }},
    MemoryMeasure{"prompt and negative prompt apart",
                  "the denoiser runs twice in a step, each time with half of the activations",
                  false, [](MemoryStrategy& s) { s.rows_at_once = 1; }},
    MemoryMeasure{"direct convolutions",
                  "convolutions do without Winograd's algorithm and its working memory", false,
                  [](MemoryStrategy& s) { s.winograd = false; }},
};

}  // namespace

std::span<const MemoryMeasure> memory_measures() { return kMeasures; }

bool takes(const MemoryStrategy& strategy, const MemoryMeasure& measure) {
  MemoryStrategy with = strategy;
  measure.apply(with);
  return with == strategy;
}

bool suits(const MemoryMeasure& measure, const EngineOptions& options, Precision precision) {
  if (takes({.eight_bits = true}, measure)) return options.weights.empty();
  if (takes({.half_weights = true}, measure))
    return (precision == Precision::kF32 || precision == Precision::kAuto) &&
           options.weights.empty();
  return true;
}

MemoryStrategy preset_strategy(const EngineOptions& options, Precision precision) {
  MemoryStrategy s{.once = options.once};
  if (!options.prompt_cache.empty()) s.encoders = Encoders::kReleased;
  if (options.memory == "offload") {
    s.encoders = Encoders::kReleased;
  } else if (options.memory == "low-ram") {
    for (const MemoryMeasure& m : kMeasures)
      if (m.in_low_ram && suits(m, options, precision)) m.apply(s);
  } else if (!options.memory.empty() && options.memory != "auto") {
    fail<UsageError>("memory \"{}\" is not known; auto, offload and low-ram are", options.memory);
  }
  return s;
}

ModelBundle bundle_under(const MemoryStrategy& strategy, const ModelBundle& bundle) {
  ModelBundle typed = bundle;
  if (strategy.eight_bits) apply_weight_types(typed, WeightTypes::parse("q8_0"));
  if (strategy.half_weights) keep_in_16_bits(typed);
  return typed;
}

}  // namespace mezzo
