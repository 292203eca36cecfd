// The table of samplers: one row each. It feeds the command line, the server's lists, the documents
// and the tests.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sampling/options.h"

namespace mezzo::sampling {

/// On what kind of points a sampler runs when the user chooses it by name.
enum class Form {
  kSigma,         // variance-exploding; flow models as if they were (k-diffusion)
  kSigmaAndFlow,  // variance-exploding, and with a form of its own for flow models (ComfyUI)
};

/// What noise a sampler takes during a run.
enum class Noise {
  kNone,
  kEachStep,  // fresh at each step
  kPath,      // increments of one Brownian path (SDE solvers)
};

struct SamplerInfo {
  std::string_view name;     // "dpmpp_2m"
  std::string_view display;  // "DPM++ 2M"
  std::vector<std::string_view> aliases;
  /// The form of k-diffusion, ComfyUI and A1111, which runs on any schedule.
  Sampler sample;
  Form form = Form::kSigma;
  Noise noise = Noise::kNone;
  bool needs_unconditional = false;  // CFG++
  bool chooses_steps = false;        // by the error it makes: pictures are drawn one by one
  /// What A1111 calls "automatic"; empty: the model's own.
  std::string_view default_schedule = {};
  /// diffusers' scheduler for it, used with the model's own scheduler configuration; empty: there
  /// is none.
  std::string_view diffusers_class = {};
};
std::span<const SamplerInfo> samplers();

/// The row with this name, display name, alias or diffusers class name, whatever the case; nullptr
/// when there is none.
const SamplerInfo* find_sampler(std::string_view name);

struct SamplerChoice {
  const SamplerInfo* sampler = nullptr;
  /// From a display name that ends in one, "DPM++ 2M Karras"; empty otherwise.
  std::string schedule;
};
/// The same, understanding names that end in a schedule. Throws UsageError naming the nearest.
SamplerChoice choose_sampler(std::string_view name);

/// Throws UsageError where a request names a sampler or schedule that there is none of. Empty is
/// the model's own; a schedule may be "model" or "automatic", too.
void check_names(std::string_view sampler, std::string_view schedule);

}  // namespace mezzo::sampling
