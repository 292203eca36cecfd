// How a model is kept in memory, and the ordered table of ways to need less of it. memory_plan.h
// chooses; the engine and the builders of networks follow.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "backend/backend.h"
#include "checkpoint/bundle.h"
#include "mezzotint/engine.h"

namespace mezzo {

/// What is in memory, and when. As it is made here: everything, always; the fastest.
struct MemoryStrategy {
  enum class Encoders {
    kKept,
    kReleased,  // read when a new prompt comes, let go when it is encoded
    kStreamed,  // the same, one layer at a time
  };
  enum class Vae { kHeld, kStreamed };  // kStreamed: one layer at a time

  bool half_weights = false;  // float32 weights in 16 bits
  bool eight_bits = false;    // large matrices and convolutions as q8_0
  Encoders encoders = Encoders::kKept;
  bool once = false;  // networks are let go after their last use in a request
  Vae vae = Vae::kHeld;
  std::int64_t rows_at_once = 0;  // of a batch in the denoiser; 0: all
  /// Bytes of the denoiser's weights that stay; the others are read anew in every step. Nothing:
  /// all stay.
  std::optional<std::uint64_t> denoiser_held = {};
  bool winograd = true;  // convolutions that are faster and need more working memory

  bool operator==(const MemoryStrategy&) const = default;
};

/// What every network is built with.
struct Loading {
  Backend& backend;
  Precision precision = Precision::kF32;
  MemoryStrategy strategy = {};

  /// Rows of text encoders have outliers, which leave fewer bits to the other values, and take
  /// little time.
  Precision of_text_encoders() const {
    return precision == Precision::kAuto ? Precision::kF32 : without_int8(precision);
  }
  Precision of_vae() const { return without_int8(precision); }
};

/// One way to need less memory. Applying it twice is the same as once.
struct MemoryMeasure {
  std::string_view name;  // in plans: "text encoders released"
  std::string_view what;  // what is done, and its price
  bool in_low_ram;        // --low-ram takes it
  void (*apply)(MemoryStrategy&);
};

/// From those that cost the least time to those that cost the most.
std::span<const MemoryMeasure> memory_measures();
bool takes(const MemoryStrategy& strategy, const MemoryMeasure& measure);
/// Whether a measure can be taken under these settings.
bool suits(const MemoryMeasure& measure, const EngineOptions& options, Precision precision);

/// The strategy that EngineOptions::memory asks for. Throws UsageError for an unknown name.
MemoryStrategy preset_strategy(const EngineOptions& options, Precision precision);

/// The model with its weights in the types that they have under a strategy.
ModelBundle bundle_under(const MemoryStrategy& strategy, const ModelBundle& bundle);

}  // namespace mezzo
